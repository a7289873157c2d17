"""Single lines of kernel trace text: every form of every event, names that look like columns, damaged lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.fuzz.kernel_text_lines import (
    STORY,
    WITH_FLAGS,
    WITH_TGID,
    WRITERS,
    Line,
    Writer,
    perf_plugin,
    report,
    tracefs,
    tracefs_ticks,
)
from tracekit.sources.kernel.events import EVENT_KINDS, IN_INTERRUPT, PREV_STATE_CODES, Records
from tracekit.sources.kernel_text import state as p
from tracekit.sources.kernel_text.parse import parse


def read(text: bytes, reading: p.Reading | None = None) -> tuple[Records, list[bytes], Records]:
    """Events, their names (two each), and gaps of some lines."""
    data = np.frombuffer(text, np.uint8)
    parsed = p.room(text.count(b"\n") + 1)
    assert parse(data, 0, reading or p.new_reading(), parsed) == len(data)
    events, gaps = parsed.found.tolist()
    names = [bytes(name).rstrip(b"\0") for name in parsed.names[:events].reshape(-1, 16)]
    return parsed.events[:events], names, parsed.gaps[:gaps]


def said(line: Line, write: Writer) -> dict[str, int]:
    """What an event should say of a line."""
    resolution = 1000 if write is tracefs else 1
    wakes = line.kind in ("waking", "wakeup", "wakeup_new", "migrate")
    state = {b"X": "Z"}.get(line.state, line.state.decode()) if line.kind == "switch" else "?"
    return {
        "time_ns": line.time_ns // resolution * resolution,
        "cpu": line.cpu,
        "tid": line.tid,
        "tgid": line.tgid if write in WITH_TGID else -1,
        "kind": EVENT_KINDS[line.kind],
        "target_tid": -1 if line.kind == "exec" else line.target,
        "target_cpu": line.value if wakes else -1,
        "value": line.value if line.kind == "stat_runtime" else -1,
        "flags": IN_INTERRUPT if line.interrupt and write in WITH_FLAGS else 0,
        "prev_state": PREV_STATE_CODES["X" if line.kind == "switch" and line.state == b"X" else state],
    }


def as_dict(event: np.void) -> dict[str, int]:
    return {name: int(event[name]) for name in event.dtype.names or ()}


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_every_event_in_every_form(write: Writer) -> None:
    lines = (*STORY, Line(5_000_000_000, 1, 4, b"main", "exec"), Line(7_123_456_789, 300, 9, b"a", "switch", 5, b"b"))
    events, names, gaps = read(b"".join(write(line) + b"\n" for line in lines))
    assert [as_dict(event) for event in events] == [said(line, write) for line in lines]
    assert names[1::2] == [line.target_name for line in lines]
    assert names[::2] == [line.name if line.kind == "switch" else b"" for line in lines]
    assert len(gaps) == 0


NASTY = (
    b"a b", b"x: y", b"1.5: z", b"a-1", b"-", b"==>", b"a ==> b", b"a=b", b"[000] 1.2: x", b"x prev_pid=1", b"a pid=1",
    b"a:1 [2] S ==> b", b"a:5 [120]", b"kworker/0:1-mm", b"(sd-pam)", b" lead", b"trail ", b"x\xff\xfe", b"",
    b"\xc3\xa9\xc3\xa8", b"a next_pid=2", b"] 12.5: sched_x:",
)  # fmt: skip


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("kind", ["switch", "wakeup", "waking", "fork", "stat_runtime"])
def test_names_that_look_like_columns(write: Writer, kind: str) -> None:
    for name in NASTY:
        for other in (b"plain", name[:15]):
            if write in (report, perf_plugin) and name.startswith(b" "):
                continue  # their padding has no end: the space could be the tool's
            line = Line(2_000_001_000, 1, 12, name[:15], kind, 34, other, 1)
            events, names, gaps = read(write(line) + b"\n")
            assert len(events) == 1, write(line)
            assert as_dict(events[0]) == said(line, write), write(line)
            assert names[1] == other
            assert names[0] == (name[:15] if kind == "switch" else b"")
            assert len(gaps) == 0


@pytest.mark.parametrize(
    ("state", "meant"),
    [
        (b"R", "R"), (b"R+", "R+"), (b"S", "S"), (b"D", "D"), (b"D|K", "D"), (b"S|W", "S"), (b"T", "T"), (b"t", "t"),
        (b"x", "X"), (b"X", "X"), (b"Z", "Z"), (b"I", "I"), (b"P", "P"), (b"D|R", "R"),
        (b"0", "R"), (b"1", "S"), (b"2", "D"), (b"130", "D"), (b"256", "R+"), (b"16", "X"), (b"32", "Z"), (b"128", "I"),
        (b"64", "P"), (b"?", "?"),
    ],
)  # fmt: skip
def test_states(state: bytes, meant: str) -> None:
    events, _, _ = read(tracefs(Line(5, 0, 1, b"a", "switch", 2, b"b", state=state)) + b"\n")
    assert events["prev_state"].tolist() == [PREV_STATE_CODES[meant]]


def test_numbers_of_an_old_kernel() -> None:
    """TASK_STATE_MAX of the kernels before 4.14 (1024 in 3.x, 4096 in 4.8) is told from any bit of today."""
    line = Line(5, 0, 1, b"a", "switch", 2, b"b", state=b"64")
    reading = p.new_reading()
    read(tracefs(replace(line, state=b"4096")) + b"\n", reading)
    assert reading.states[0] & 2
    events, _, _ = read(tracefs(line) + b"\n", p.new_reading(old_states=True))
    assert events["prev_state"].tolist() == [PREV_STATE_CODES["X"]]


def test_columns_of_other_versions() -> None:
    tail = b"sched_switch: prev_comm=a prev_pid=11 prev_prio=1 prev_state=S ==> next_comm=b next_pid=12 next_prio=1\n"
    heads = {
        b"a-11 [001] ": (11, -1, 0),  # stripped of its indent
        b"   a-11    (-----) [001] d.h2 ": (11, -1, 1),
        b"   com.android.systemui-11   (  611) [001] ...2 ": (11, 611, 0),
        b"a-11     1d.h2.  ": (11, -1, 1),  # trace-cmd report -l
        b"a-11    1d..2.  ": (11, -1, 0),
        b"\t   <...>-11 [001]  ": (11, -1, 0),
        b"           a-11 [001] dNLhn2.1 ": (11, -1, 1),
        b"           a-11 [ 1] D.Zff ": (11, -1, 1),
    }
    for head, (tid, tgid, flags) in heads.items():
        events, _, _ = read(head + b"12.000345: " + tail)
        found = [(e["cpu"], e["tid"], e["tgid"], e["flags"], e["time_ns"]) for e in events]
        assert found == [(1, tid, tgid, flags, 12_000_345_000)], head
    perf_heads = {
        b"              a 11 [001] ": (11, -1),
        b"11 [001] ": (11, -1),
        b"              a [001] ": (11, -1),  # no tid column: a switch says who left
        b"              a     7/11    [001] K  ": (11, 7),
        b"            :-1     7/-1    [001] ": (11, -1),
    }
    for head, (tid, tgid) in perf_heads.items():
        events, _, _ = read(head + b" 12.000345678:          4 sched:" + tail)
        found = [(e["cpu"], e["tid"], e["tgid"], e["flags"], e["time_ns"]) for e in events]
        assert found == [(1, tid, tgid, 0, 12_000_345_678)], head


def test_who_is_current_may_be_unknown() -> None:
    tail = b"sched:sched_waking: comm=b pid=12 prio=1 target_cpu=000\n"
    events, _, _ = read(b"      :-1     7/-1    [001] 1.000000: " + tail + b"   kworker/0 [001] 1.000000: " + tail)
    assert events["tid"].tolist() == [-1, -1]


def test_perfs_own_records() -> None:
    text = (
        b"            perf   4 [001]     0.000000: PERF_RECORD_COMM exec: a:b 1:11/12\n"
        b"            perf   4 [001]     0.000001: PERF_RECORD_FORK(21:22):(11:12)\n"
        b"            perf   4 [001]     0.000002: PERF_RECORD_EXIT(21:22):(11:12)\n"
        b"            perf   4 [001]     0.000003: PERF_RECORD_LOST lost 70\n"
        b"            perf   4 [001]     0.000004: PERF_RECORD_SWITCH OUT\n"
    )
    events, names, gaps = read(text)
    columns = ["kind", "cpu", "tid", "tgid", "target_tid", "value", "flags"]
    comm, fork, end = (EVENT_KINDS[kind] for kind in ("comm", "fork", "exit"))
    assert events[columns].tolist() == [
        (comm, -1, -1, -1, 12, 11, 2),
        (fork, -1, 12, 11, 22, 21, 0),
        (end, 1, 22, 21, 22, 21, 0),
    ]
    assert names[1] == b"a:b 1"
    assert gaps[["cpu", "start_ns", "end_ns", "lost_events"]].tolist() == [(1, 2000, 3000, 70)]


def test_system_calls() -> None:
    text = (
        b"   a-11 [000] ..... 1.000001: sys_enter: NR 202 (1, 2)\n"
        b"   a-11 [000] ..... 1.000002: sys_exit: NR 202 = -11\n"
        b"   a 7/11 [000] 1.000003: raw_syscalls:sys_enter: NR 1 (0)\n"
        b"   a-11 [000] 1.000003: sys_exit:  id=5 ret=0\n"
    )
    enter, back = EVENT_KINDS["sys_enter"], EVENT_KINDS["sys_exit"]
    events, _, _ = read(text)
    assert events[["kind", "tid", "value"]].tolist() == [
        (enter, 11, 202),
        (back, 11, 202),
        (enter, 11, 1),
        (back, 11, 5),
    ]


def test_lost_lines() -> None:
    first, second = (tracefs(replace(STORY[7], time_ns=time)) + b"\n" for time in (1_000_000, 9_000_000))
    for remark, count in ((b"CPU:0 [LOST 12 EVENTS]\n", 12), (b"CPU:0 [LOST EVENTS]\n", -1),
                          (b"CPU:0 [925 EVENTS DROPPED]\n", 925), (b"##### CPU 0 buffer started ####\n", -1)):  # fmt: skip
        _, _, gaps = read(first + remark + second)
        assert gaps[["cpu", "start_ns", "end_ns", "lost_events"]].tolist() == [(0, 1_000_000, 9_000_000, count)]


@pytest.mark.parametrize("write", [w for w in WRITERS if w is not tracefs_ticks], ids=lambda write: write.__name__)
def test_a_line_cut_anywhere_is_no_other_event(write: Writer) -> None:
    """A cut line gives its event, a gap, or nothing: never another task's event."""
    for line in STORY:
        whole = write(line)
        for size in range(len(whole)):
            events, _, gaps = read(whole[:size] + b"\n")
            assert len(events) + len(gaps) <= 1
            if len(events) and line.kind == "switch":
                assert (events["tid"][0], events["cpu"][0]) == (line.tid, line.cpu)


def test_numbers_that_can_not_be() -> None:
    huge = b"9" * 30
    for text in (
        b"   a-11 [" + huge + b"] 1.000000: sched_waking: comm=b pid=12 prio=1 target_cpu=000\n",
        b"   a-11 [9000] 1.000000: sched_waking: comm=b pid=12 prio=1 target_cpu=000\n",
        b"   a-11 [000] " + huge + b".000000: sched_waking: comm=b pid=12 prio=1 target_cpu=000\n",
        b"   a-11 [000] 1." + huge + b": sched_waking: comm=b pid=12 prio=1 target_cpu=000\n",
    ):
        events, _, _ = read(text)
        assert len(events) == 0
    events, _, gaps = read(b"   a-11 [000] 1.000000: sched_stat_runtime: comm=b pid=12 runtime=" + huge + b" [ns]\n")
    assert (len(events), len(gaps)) == (0, 1)
    events, _, _ = read(b"   a-11 [000] 1.000000: sched_stat_runtime: comm=b pid=12 runtime=46,610 [ns]\n")
    assert events["value"].tolist() == [46610]
