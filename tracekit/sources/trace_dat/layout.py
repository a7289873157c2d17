"""Where things are in a page of the ring buffer, as the kernel describes it in tracefs (`events/header_page`)."""

from __future__ import annotations

import numpy as np

from tracekit.sources.kernel.events import Rows, wide
from tracekit.sources.kernel.formats import EventFormat, Field, parse_format

TIME_AT, COMMIT_AT, COMMIT_SIZE, DATA_AT, PAGE_SIZE, TYPE_AT = (wide(column) for column in range(6))
COLUMNS = 6
_HEADER_MOST = 64  # bytes before the data: 12 or 16 in every kernel so far
PAGE_LEAST, PAGE_MOST = 512, 1 << 26  # bytes; a sub-buffer is at most 2^10 pages of 64 KiB (MAX_PAGE_ORDER)


def page_layout(header_page: str, long_size: int) -> Rows:
    """COLUMNS numbers; PAGE_SIZE is 0 where the text does not say it.

    The size of `commit` is that of a long in the kernel, which may differ from `long_size`, that of the recorder.
    What the text says of types is not to be trusted (bugzilla.kernel.org 216999), places and sizes are.
    """
    described = parse_format(f"name: header_page\nID: 0\n{header_page}")
    fields = described.fields if described else {}
    time, commit, data = (fields.get(name) for name in ("timestamp", "commit", "data"))
    layout = np.array([0, 8, long_size, 8 + long_size, 0, 0], np.int64)
    if time and time.size == 8:
        layout[TIME_AT] = min(time.offset, _HEADER_MOST)
    if commit and commit.size in (4, 8):
        layout[COMMIT_AT], layout[COMMIT_SIZE] = min(commit.offset, _HEADER_MOST), commit.size
        layout[DATA_AT] = layout[COMMIT_AT] + layout[COMMIT_SIZE]
    if data and data.offset <= _HEADER_MOST:
        layout[DATA_AT], layout[PAGE_SIZE] = data.offset, _page_size(data)
    layout[DATA_AT] = max(
        layout[[TIME_AT, DATA_AT]].max(), layout[TIME_AT] + 8, layout[COMMIT_AT] + layout[COMMIT_SIZE]
    )
    return layout


def _page_size(data: Field) -> int:
    size = data.offset + data.size
    return size if is_page_size(size) else 0


def is_page_size(size: int) -> bool:
    """Whether a ring buffer's page may have this size."""
    return PAGE_LEAST <= size <= PAGE_MOST and size & (size - 1) == 0


def type_at(formats: dict[int, EventFormat]) -> int:
    """Where an event's number is in its bytes: the same place in all formats."""
    for event in formats.values():
        common = event.fields.get("common_type")
        if common and common.size == 2 and common.offset <= _HEADER_MOST:
            return common.offset
    return 0
