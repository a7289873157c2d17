"""Every recording that ships is listed with its size and digest, and is small."""

from __future__ import annotations

import hashlib
from pathlib import Path

MAX_BYTES = 2 * 1024 * 1024


def test_each_recording_has_its_provenance(traces: Path) -> None:
    text = (traces / "README.md").read_text(encoding="utf-8")
    recordings = [path for path in traces.iterdir() if path.name != "README.md"]
    assert recordings
    for path in recordings:
        data = path.read_bytes()
        assert len(data) <= MAX_BYTES
        assert f"`{path.name}` | {len(data):,} |" in text
        assert f"{hashlib.sha256(data).hexdigest()}  {path.name}" in text
