"""However small the windows that a file is read in, its events are the same, and so is what is missing from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.roundtrip.perf_text import RECORDINGS
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.events import Records
from tracekit.sources.perf_data.reader import mapped, opened
from tracekit.sources.perf_data.tape import WINDOW_BYTES

SMALL_BYTES = 50_000
FOUND = sorted(path for folder in ("perf", "forms") for path in (RECORDINGS / folder).glob("*.data"))
UNREADABLE = {"x-cut100", "x-cut2000", "x-zstd-cut70"}  # their formats are lost, or they hold nothing

pytestmark = pytest.mark.skipif(not FOUND, reason=f"needs recordings in {RECORDINGS}")


def read(path: Path, window_bytes: int) -> tuple[list[Records], list[str], list[tuple[int, ...]]]:
    """Batches of events, names, and gaps."""
    stream = opened(mapped(path), str(path), ReadOptions(), window_bytes)[2]
    batches, names = [], []
    for batch in stream.batches:
        rows = np.repeat(np.arange(len(batch.events)), 2)
        batches.append(batch.events.copy())
        names += batch.names(rows, np.arange(len(rows)).astype(np.int8) % 2)
    rows = np.concatenate(stream.gaps) if stream.gaps else np.zeros(0)
    return batches, names, sorted(map(tuple, rows.tolist()))


@pytest.mark.parametrize("path", [path for path in FOUND if path.stem not in UNREADABLE], ids=lambda path: path.stem)
def test_small_windows_give_the_same(path: Path) -> None:
    (whole,), names, gaps = read(path, WINDOW_BYTES)
    pieces, small_names, small_gaps = read(path, SMALL_BYTES)
    joined = np.concatenate(pieces)
    assert (np.diff(joined["time_ns"]) >= 0).all()
    for column in whole.dtype.names:
        assert (joined[column] == whole[column]).all(), column
    assert small_names == names
    assert small_gaps == gaps
