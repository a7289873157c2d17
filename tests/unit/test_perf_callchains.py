"""What tasks wait for, read from callchains: symbols, frames, and what of both can not be trusted."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.perf_files import Shape, perf_file
from tests.fuzz.perf_kernel import KALLSYMS, TEXT_AT, booted
from tests.unit.kernel_text import built, intervals, wakeups
from tracekit.jit import cached_njit
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.perf_data import SOURCE
from tracekit.sources.perf_data.callchains import NONE, UNREAD, Functions, reason_of, symbols_in
from tracekit.sources.perf_data.layout import CALLCHAIN, RAW, TIME, TRACEPOINT, Attr, layouts
from tracekit.sources.perf_data.walk import callchain_at, raw_at
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check
from tracekit.vocabulary import REASONS

SYMBOLS = """\
0000000000001000 T _stext
0000000000001000 T _text
0000000000001100 T do_futex
0000000000001200 T unheard_of
0000000000001300 t do_sys_poll.constprop.0
0000000000001300 t its_other_name
0000000000001400 T do_wait
0000000000001480 t do_wait_intr
0000000000001500 T __x64_sys_sched_yield
0000000000001600 T __arm64_sys_sched_yield
0000000000001700 T __x64_sys_sched_yield_to
0000000000001800 t do_nanosleep
0000000000001900 B _end
0000000000002000 t do_futex\t[module]
0000000000002100 t unheard_of\t[module]
"""
KERNEL, USER = -128, -512  # PERF_CONTEXT_*


def named(functions: Functions) -> list[tuple[int, int, str]]:
    """(begin, end, reason) of each function."""
    rows = zip(*(column.tolist() for column in functions), strict=True)
    return [(begin, end, REASONS.names[reason]) for begin, end, reason in rows]


def test_symbols_tell_where_tasks_wait_and_where_the_kernel_is() -> None:
    references, functions = symbols_in(SYMBOLS)
    assert references == {"_text": 0x1000, "_stext": 0x1000}
    assert named(functions) == [
        (0x1100, 0x1200, "lock"),
        (0x1300, 0x1400, "network"),  # a part that the compiler split off, with another name at the same place
        (0x1400, 0x1480, "join"),
        (0x1500, 0x1600, "yield"),
        (0x1600, 0x1700, "yield"),
        (0x1800, 0x1900, "sleep"),
    ]


def test_addresses_of_the_upper_half_are_signed() -> None:
    _, functions = symbols_in(SYMBOLS.replace("000000000000", "ffffffff8100"))
    assert functions.begin[0] == 0xFFFFFFFF81001100 - (1 << 64)
    assert (np.diff(functions.begin) > 0).all()


def test_without_the_right_to_see_addresses_there_are_none() -> None:
    zeros = "\n".join("0" * 16 + line[16:] for line in SYMBOLS.splitlines())
    assert symbols_in(zeros) == ({}, NONE)
    assert symbols_in("") == ({}, NONE)


@cached_njit
def _reason_of(data: Bytes, functions: Functions, big: bool) -> int:
    return reason_of(data, 0, functions, big)


def reason(*frames: int, functions: Functions | None = None) -> str | None:
    """What a callchain tells, in both byte orders, by SYMBOLS or by others."""
    functions = symbols_in(SYMBOLS)[1] if functions is None else functions
    codes = {
        int(_reason_of(np.frombuffer(struct.pack(f"{order}{1 + len(frames)}q", len(frames), *frames), np.uint8),
                       functions, order == ">"))
        for order in "<>"
    }  # fmt: skip
    [code] = codes
    return None if code == -1 else REASONS.names[code]


def test_the_outermost_known_function_tells() -> None:
    assert reason(KERNEL, 0x1890, 0x1110) == "lock"
    assert reason(KERNEL, 0x1110, 0x1890) == "sleep"
    assert reason(KERNEL, 0x1210, 0x1890, 0x1210) == "sleep"


def test_a_function_reaches_from_its_first_byte_to_the_next_function() -> None:
    assert [reason(at) for at in (0x10FF, 0x1100, 0x11FF, 0x1200, 0x147F, 0x1480)] == [
        None, "lock", "lock", None, "join", None,
    ]  # fmt: skip


def test_frames_of_no_known_function_tell_nothing() -> None:
    assert reason() is None
    assert reason(KERNEL, 0x1210, 0, -1, (1 << 63) - 1, -(1 << 63)) is None
    assert reason(KERNEL, 0x1110, functions=NONE) is None


def test_the_program_s_own_frames_are_not_the_kernel_s() -> None:
    assert reason(KERNEL, 0x1210, USER, 0x1110) is None
    assert reason(KERNEL, 0x1410, USER, 0x1110) == "join"


@cached_njit
def _places(data: Bytes, layout: Bytes, big: bool) -> tuple[int, int]:
    return callchain_at(data, 0, layout, big), raw_at(data, 0, layout, big)


def test_a_number_of_frames_that_does_not_fit_is_not_believed() -> None:
    [layout] = layouts([Attr(TRACEPOINT, 1, TIME | CALLCHAIN | RAW, 0, 0, 0)])

    def places(frames: int) -> tuple[int, int]:
        """Where the callchain and the raw data are, in a sample of two frames and 4 bytes that is told to have others."""
        body = struct.pack("<QqQQI4s", 77, frames, 1, 2, 4, b"data")
        sample = struct.pack("<IHH", 9, 0, 8 + len(body)) + body
        return _places(np.frombuffer(sample + bytes(4096), np.uint8), layout, False)

    assert places(2) == (16, 44)
    for frames in (3, 4, 500, (1 << 61) - 1, 1 << 61, (1 << 63) - 1, -1, -(1 << 63)):
        assert places(frames)[1] == -1, frames
    for frames in (4, 500, (1 << 61) - 1, 1 << 61, (1 << 63) - 1, -1, -(1 << 63)):
        assert places(frames)[0] == -1, frames


STORY = """
    0 - 1 known 1 of 1
    0 - 1 known 2 of 2
    0 - 1 known 3 of 3
    1000 cpu0 1 switch S 2 lock
    1100 cpu0 2 waking 1 cpu0
    1200 cpu0 2 switch D 1 io
    1300 cpu0 1 switch R 3 yield
    1400 cpu0 3 switch S 1
    1500 cpu0 1 switch S 0 sleep
    1600 cpu0 0 switch R 2
"""


def read(folder: Path, shape: Shape) -> Trace:
    path = folder / "perf.data"
    path.write_bytes(perf_file(STORY, shape))
    trace = SOURCE.read(path, ReadOptions())
    assert check(trace) == []
    return trace


def reasons(trace: Trace) -> list[str | None]:
    return trace.frame("intervals").filter(trace.frame("intervals")["state"] != "RUNNING")["reason"].to_list()


SHAPES = {
    "file": Shape(callchains=True),
    "other byte order": Shape(callchains=True, big=True),
    "mapped with a build id": Shape(callchains=True, mapped=10),
    "pipe": Shape(callchains=True, pipe=True),
    "compressed": Shape(callchains=True, packed=83),
    "compressed pipe of the other byte order": Shape(callchains=True, packed=81, pipe=True, big=True, mapped=10),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_every_layout_gives_the_reasons(shape: Shape, tmp_path: Path) -> None:
    with booted():
        trace = read(tmp_path, shape)
    assert trace.meta["callchains"]
    for name, table in built(STORY).tables.items():
        assert trace.tables[name].to_pylist() == table.to_pylist(), name
    assert {"lock", "io", "yield", "sleep"} <= set(reasons(trace))


def test_symbols_of_another_kernel_are_not_used(tmp_path: Path) -> None:
    moved = KALLSYMS.replace(f"{TEXT_AT:016x} T", f"{TEXT_AT + 0x200000:016x} T")
    told = []
    for kallsyms, release in ((KALLSYMS, "6.18"), (KALLSYMS, "6.19"), (moved, "6.18"), ("", "6.18")):
        with booted(kallsyms, release):
            trace = read(tmp_path, Shape(callchains=True))
        assert trace.meta["callchains"]  # the recorder took the time, whoever reads them
        told.append(({"lock", "sleep"} <= set(reasons(trace)), UNREAD in trace.meta["policies"]))
    assert told == [(True, False), (False, True), (False, True), (False, True)]


def test_a_recording_without_callchains_says_so(tmp_path: Path) -> None:
    with booted():
        trace = read(tmp_path, Shape())
    assert not trace.meta["callchains"]
    assert UNREAD not in trace.meta["policies"]
    assert set(reasons(trace)) == {None, "uninterruptible", "wakeup", "preempted"}


WAITS = """
    0 cpu0 2 switch S 1
    20 cpu0 1 switch {state} 2 {reason}
    30 cpu0 2 waking 1 cpu0
    40 cpu0 2 switch S 1
    50 cpu0 1 switch S 2
"""


@pytest.mark.parametrize(
    ("state", "reason", "found"),
    [
        ("S", "lock", "BLOCKED (lock)"),
        ("S", "", "BLOCKED"),
        ("D", "io", "BLOCKED (io)"),
        ("D", "", "BLOCKED (uninterruptible)"),
        ("T", "io", "BLOCKED (stopped)"),
        ("R", "yield", "RUNNABLE cpu0 (yield)"),
        ("R", "io", "RUNNABLE cpu0 (preempted)"),
        ("R+", "lock", "RUNNABLE cpu0 (preempted)"),
    ],
)
def test_the_state_says_whether_the_reason_counts(state: str, reason: str, found: str) -> None:
    assert intervals(built(WAITS.format(state=state, reason=reason)), 1)[1].split(" ", 1)[1] == found


def test_a_wakeup_says_the_reason_of_the_wait() -> None:
    assert wakeups(built(WAITS.format(state="S", reason="join"))) == ["30 2->1 target cpu0 (join)"]


def test_where_it_waits_tells_more_than_the_system_call() -> None:
    inside = WAITS.replace("    20", "    10 cpu0 1 sys_enter 0\n    20")  # read(2), of whatever
    for state in ("S", "D"):
        assert (
            intervals(built(inside.format(state=state, reason="channel_recv")), 1)[1] == "20-30 BLOCKED (channel_recv)"
        )
        assert intervals(built(inside.format(state=state, reason="")), 1)[1] == "20-30 BLOCKED (io)"
