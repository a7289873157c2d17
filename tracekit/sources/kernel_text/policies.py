"""What was chosen and what a text does not say, each with how often it mattered."""

from __future__ import annotations

from tracekit.sources.kernel.syscalls import has_generic_numbers
from tracekit.sources.kernel_text import state as p
from tracekit.sources.kernel_text.notes import Notes
from tracekit.sources.kernel_text.order import Order

_NS_DIGITS = 9
_DIGIT_NAMES = {3: "1 ms", 6: "1 µs"}


def policies(reading: p.Reading, order: Order, notes: Notes) -> list[dict[str, object]]:
    """One row for each that mattered."""
    rows = [*_times(reading), *_columns(reading), *_states(reading), _calls(reading, notes), *_dropped(reading, order)]
    return [{"policy": policy, "choice": choice, "count": count} for policy, choice, count in rows if count]


def _times(reading: p.Reading) -> list[tuple[str, str, int]]:
    ticks, finest = int(reading.counts[p.TICKS]), int(reading.counts[p.FINEST])
    switches = int(reading.counts[p.SWITCHES])
    if ticks:
        choice = "a tick stands where a ns would: durations are in ticks, only their ratios are known"
        return [(TICKS_POLICY, choice, ticks)]
    if finest >= _NS_DIGITS:
        return []
    unit = _DIGIT_NAMES.get(finest, f"10^-{finest} s")
    choice = f"{unit}; lines of the same time keep their order"
    return [("the resolution of the times", choice, switches)]


TICKS_POLICY = "times are ticks of a clock whose rate the text does not say"


def _columns(reading: p.Reading) -> list[tuple[str, str, int]]:
    counts = reading.counts
    without_flags = 0 if counts[p.WITH_FLAGS] else int(counts[p.WAKEUPS])
    foreign = 0 if reading.use_tids[0] else int(counts[p.OTHER_TID])
    return [
        (
            "whether an interrupt woke a task is not in the text",
            "the task that was current counts as the waker",
            without_flags,
        ),
        (
            "the task column does not name the tasks of the events",
            "it is left out, and so are wakers' own lines as proof of who ran",
            foreign,
        ),
    ]


def _states(reading: p.Reading) -> list[tuple[str, str, int]]:
    old, numbers, plugin = reading.states.tolist()
    kernel = "before 4.14, as one of them is TASK_STATE_MAX of those" if old else "since 4.14"
    return [
        ("prev_state is a number", f"read with the bits of kernels {kernel}", numbers),
        ("prev_state as trace-cmd's plugin prints it", f"x and W are 0x40 and 0x80 of kernels {kernel}", plugin),
    ]


def _calls(reading: p.Reading, notes: Notes) -> tuple[str, str, int]:
    unknown = has_generic_numbers(notes.machine) is None
    return (
        "the text does not say how the machine numbers its system calls",
        "they tell who runs, not what a blocked task waits for",
        int(reading.counts[p.SYSTEM_CALLS]) if unknown else 0,
    )


def _dropped(reading: p.Reading, order: Order) -> list[tuple[str, str, int]]:
    return [
        ("a line of a scheduling event that is not whole", "left out; see gaps", int(reading.counts[p.DAMAGED])),
        ("a line that comes long after later ones", "left out; see gaps", order.late),
        ("a line whose time contradicts the lines around it", "left out; see gaps", order.astray),
    ]
