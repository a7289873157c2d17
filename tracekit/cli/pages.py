"""Writing a report page: never over something else unasked, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tracekit.errors import StoreError
from tracekit.tables.bundle import Program, Run, Trace


def refuse_overwrite(target: Path, *, force: bool) -> None:
    """Raise StoreError when the page exists and may not be replaced, or is a folder."""
    if target.is_dir():
        raise StoreError("a folder, not a page", where=str(target), remedy="give a file name with -o")
    if target.exists() and not force:
        raise StoreError(
            "exists already", where=str(target), remedy="choose another name with -o, or --force to replace it"
        )


def write(runs: Sequence[Run], trace: Trace | None, program: Program | None, title: str, target: Path) -> Path:
    """Write the page beside its final name and rename it when whole. Raises StoreError."""
    from tracekit import api

    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        api.write_report(runs, partial, trace=trace, program=program, title=title)
        partial.replace(target)
    except OSError as error:
        raise StoreError(f"can't write the report ({error.strerror or error})", where=str(target)) from None
    finally:
        partial.unlink(missing_ok=True)
    return target
