"""The digest of a file, made beside the reading of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

# Each piece takes the interpreter twice, and who reads meanwhile waits for that: few pieces, but no whole file in memory.
_PIECE_BYTES = 4 << 20


def sha256_of(path: Path) -> str:
    """In hexadecimal. Lets go of the interpreter while it works."""
    state = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        piece = memoryview(bytearray(min(_PIECE_BYTES, max(path.stat().st_size, 1))))
        while size := file.readinto(piece):
            state.update(piece[:size])
    return state.hexdigest()
