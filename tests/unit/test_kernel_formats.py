"""How prev_state is read by what an event's format lists."""

from __future__ import annotations

import pytest

from tracekit.sources.kernel.events import PREV_STATE_CODES
from tracekit.sources.kernel.formats import prev_state_masks


@pytest.mark.parametrize(
    ("flag", "mask"), [("0x08", 8), ("8", 8), ("010", 8), ("088", 88), ("0", None), ("0x8000000000000000", None)]
)
def test_a_flag_is_a_number_as_c_writes_it_or_none(flag: str, mask: int | None) -> None:
    masks, codes, _ = prev_state_masks(f'{{ 0x1, "S" }}, {{ {flag}, "D" }}')
    expected = {1: PREV_STATE_CODES["S"]} | ({mask: PREV_STATE_CODES["D"]} if mask else {})
    assert dict(zip(masks, codes, strict=True)) == expected


def test_the_mask_of_who_was_preempted_is_twice_the_last_flag() -> None:
    assert prev_state_masks('{ 0x1, "S" }, { 0x80, "I" }')[2] == 0x100
