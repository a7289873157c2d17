"""Whatever the events say, the tables keep their laws: random events that contradict each other as they like."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracekit.errors import SourceError
from tracekit.sources.kernel.build import build
from tracekit.sources.kernel.events import EVENT, EVENT_KINDS, PREV_STATES, KernelRecording, Records
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check
from tracekit.vocabulary import REASONS

TIDS = st.integers(-1, 5)
EVENTS = st.tuples(
    st.integers(0, 30),  # time since the event before
    st.sampled_from(range(len(EVENT_KINDS))),
    st.integers(-1, 2),  # cpu
    TIDS,
    TIDS,
    st.integers(-1, 2),  # target_cpu
    st.sampled_from(range(len(PREV_STATES))),
    st.integers(0, 3),  # flags
    st.integers(-1, 60),  # value
)


def records(rows: list[tuple[int, ...]]) -> Records:
    events = np.zeros(len(rows), EVENT)
    columns = ("time_ns", "kind", "cpu", "tid", "target_tid", "target_cpu", "prev_state", "flags", "value")
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        events[column] = values
    events["time_ns"] = np.cumsum(events["time_ns"])
    events["value"] = np.where(
        events["kind"] == EVENT_KINDS["switch"], events["value"] % (len(REASONS) + 1) - 1, events["value"]
    )
    events["tgid"] = np.where(events["tid"] > 3, 4, events["tid"])
    return events


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=60), st.sampled_from(["waking", "wakeup"]))
def test_any_events_make_sound_tables(rows: list[tuple[int, ...]], wakeup: str) -> None:
    events = records(rows)
    try:
        made = build(KernelRecording(events, lambda named, roles: ["x"] * len(named), wakeup=wakeup))
    except SourceError:
        scheduling = (events["kind"] < EVENT_KINDS["exit"]) & (events["cpu"] >= 0)
        aimless = (events["target_tid"] <= 0) & (events["kind"] != EVENT_KINDS["switch"])
        assert not (scheduling & ~aimless).any()
        return
    assert [str(finding) for finding in check(Trace(made.tables))] == []
    assert made.end_ns <= int(events["time_ns"][-1])
