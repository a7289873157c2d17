"""Two decodings of Perfetto traces agree event for event: the protobuf library's and the reader's.

And one run read from perf.data, and from the Perfetto traces made of its events, gives the same tables.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fuzz.perfetto_files import Shape, whole_file
from tests.fuzz.perfetto_messages import bundles
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.build import build
from tracekit.sources.kernel.events import EVENT_KINDS, IN_INTERRUPT, KernelRecording, Records
from tracekit.sources.perf_data.reader import mapped, opened
from tracekit.sources.perfetto.blocks import Blocks
from tracekit.sources.perfetto.packets import find_packets
from tracekit.sources.perfetto.reader import read
from tracekit.sources.perfetto.recording import recording, states_of

RECORDINGS = Path(__file__).parents[2] / ".." / "shared" / "recordings"
PUBLIC = RECORDINGS / "public" / "perfetto" / "ms-test_trace.perfetto-trace"
PERF = RECORDINGS / "perf" / "messaging-thread.data"
SHAPES = (
    Shape(bundle_events=60),
    Shape(compact=True, bundle_events=200, previous_end=True),
    Shape(compact=True, bundle_events=50, compress="zstd"),
    Shape(bundle_events=100, compress="deflate"),
)
Event = dict[str, Any]


def reference(data: bytes, release: str) -> list[Event]:
    """All scheduling events by the protobuf library, by time; of one time and CPU wakings first, switches last."""
    states, _ = states_of(release)
    current: dict[tuple[int, int], int] = {}
    found: list[Event] = []
    for sequence, bundle in bundles(data):
        made = [(event["time_ns"], 1, event) for event in map(_plain, bundle.event) if event]
        compact = bundle.compact_sched
        made += [(event["time_ns"], 0, event) for event in _wakings(compact)]
        made += [(event["time_ns"], 2, event) for event in _switches(compact)]
        for _, stream, event in sorted(made, key=lambda each: each[:2]):
            where = (sequence, bundle.cpu)
            event["cpu"] = bundle.cpu if event["kind"] != "comm" else -1
            if stream != 1:
                event["tid"] = current.get(where, -1)
            if event["kind"] == "switch":
                event["state"] = int(states[event["state"]])
                current[where] = event["target_tid"]
            elif event["tid"] >= 0:
                current[where] = event["tid"]
            found.append(event)
    return sorted(found, key=_place)


def _place(event: Event) -> Any:
    return event["time_ns"], event["cpu"], list(EVENT_KINDS).index(event["kind"]), event["target_tid"]


def _switches(compact: Any) -> list[Event]:
    times = np.cumsum(np.array(compact.switch_timestamp, np.int64)).tolist()
    names = [compact.intern_table[index] for index in compact.switch_next_comm_index]
    columns = zip(times, compact.switch_next_pid, compact.switch_prev_state, names, strict=True)
    return [
        {"kind": "switch", "time_ns": time, "target_tid": pid, "state": state, "name": name.decode(), "irq": False}
        for time, pid, state, name in columns
    ]


def _wakings(compact: Any) -> list[Event]:
    times = np.cumsum(np.array(compact.waking_timestamp, np.int64)).tolist()
    names = [compact.intern_table[index] for index in compact.waking_comm_index]
    flags = [*compact.waking_common_flags, *[0] * len(times)]
    columns = zip(times, compact.waking_pid, compact.waking_target_cpu, names, flags, strict=False)
    return [
        {
            "kind": "waking",
            "time_ns": time,
            "target_tid": pid,
            "target_cpu": cpu,
            "name": name.decode(),
            "irq": bool(f & 8),
        }
        for time, pid, cpu, name, f in columns
    ]


def _plain(event: Any) -> Event | None:
    found: Event = {"time_ns": event.timestamp, "irq": bool(event.common_flags & 8)}
    found["tid"] = event.pid if event.HasField("pid") else -1
    for kind in ("waking", "wakeup", "wakeup_new", "migrate"):
        if event.HasField(kind):
            own = getattr(event, kind)
            cpu = own.dest_cpu if kind == "migrate" else own.target_cpu
            return found | {"kind": kind, "target_tid": own.pid, "name": own.comm.decode(), "target_cpu": cpu}
    if event.HasField("switch"):
        own = event.switch
        return found | {
            "kind": "switch", "tid": own.prev_pid, "target_tid": own.next_pid, "state": own.prev_state,
            "name": own.next_comm.decode(),
        }  # fmt: skip
    if event.HasField("rename"):
        name = event.rename.newcomm.decode()
        return found | {"kind": "comm", "tid": -1, "target_tid": event.rename.pid, "name": name}
    if event.HasField("exit"):
        return found | {"kind": "exit", "target_tid": event.exit.pid, "name": ""}
    if event.HasField("new_task"):
        return found | {"kind": "fork", "target_tid": event.new_task.pid, "name": event.new_task.comm.decode()}
    if event.HasField("fork"):
        own = event.fork
        return found | {
            "kind": "fork",
            "tid": own.parent_pid,
            "target_tid": own.child_pid,
            "name": own.child_comm.decode(),
        }
    return found | {"kind": "exec", "target_tid": -1, "name": ""} if event.HasField("exec") else None


def ours(data: bytes) -> list[Event]:
    """All scheduling events by the reader."""
    found = find_packets(Blocks(np.frombuffer(data, np.uint8)), lambda done, of: None)
    kinds, events = EVENT_KINDS.names, []
    for batch in recording(found, ReadOptions(), "here", lambda done, of: None).stream.batches:
        names = batch.names(np.arange(len(batch.events)), np.ones(len(batch.events), np.int8))
        for row, name in zip(batch.events, names, strict=True):
            kind = kinds[row["kind"]]
            if kind == "known":
                continue
            event = {"kind": kind, "name": name, "irq": bool(row["flags"] & IN_INTERRUPT)}
            event |= {field: int(row[field]) for field in ("time_ns", "tid", "target_tid", "cpu")}
            if kind == "switch":
                event["state"] = int(row["prev_state"])
            if kind in ("waking", "wakeup", "wakeup_new", "migrate"):
                event["target_cpu"] = int(row["target_cpu"])
            events.append(event)
    times = [event["time_ns"] for event in events]
    assert times == sorted(times)
    return sorted(events, key=_place)


def assert_same(found: list[Event], expected: list[Event]) -> None:
    assert len(found) == len(expected) > 1000
    for number, (event, other) in enumerate(zip(found, expected, strict=True)):
        assert event == other, f"event {number}"


@pytest.mark.skipif(not PUBLIC.is_file(), reason=f"needs {PUBLIC}")
def test_a_public_recording() -> None:
    data = PUBLIC.read_bytes()
    assert_same(ours(data), reference(data, "4.19.113"))


def perf_events() -> tuple[Records, dict[int, str]]:
    """The tracepoints of a perf recording that Perfetto has too, and a name for each tid."""
    batches, names = [], {}
    for batch in opened(mapped(PERF), str(PERF), ReadOptions())[2].batches:
        kinds = batch.events["kind"]
        traced = (kinds < EVENT_KINDS["exit"]) & (batch.events["cpu"] >= 0) & (kinds != EVENT_KINDS["stat_runtime"])
        rows = np.flatnonzero(traced)
        batches.append(batch.events[rows].copy())
        tids = batches[-1]["target_tid"].tolist()
        names |= dict(zip(tids, batch.names(rows, np.ones(len(rows), np.int8)), strict=True))
    events = np.concatenate(batches)
    events["tgid"] = -1
    return events, names


def carried(events: Records) -> Records:
    """As the compact form tells it: who leaves or wakes is who was last put on the CPU."""
    current: dict[int, int] = {}
    events = events.copy()
    for event in events:
        cpu, kind = int(event["cpu"]), EVENT_KINDS.names[event["kind"]]
        if kind in ("switch", "waking"):
            event["tid"] = current.get(cpu, -1)
        current[cpu] = int(event["target_tid"] if kind == "switch" else event["tid"])
    return events


@pytest.mark.skipif(not PERF.is_file(), reason=f"needs {PERF}")
@pytest.mark.parametrize("shape", SHAPES, ids=["plain", "compact", "compact zstd", "plain deflate"])
def test_a_perf_recording_as_perfetto(shape: Shape, tmp_path: Path) -> None:
    events, names = perf_events()
    data = whole_file(events, lambda tid: names.get(tid, ""), shape)
    assert_same(ours(data), reference(data, shape.release))
    path = tmp_path / "trace"
    path.write_bytes(data)
    expected = carried(events) if shape.compact else events.copy()
    tids = expected["target_tid"].copy()

    def name_of(rows: Any, roles: Any) -> list[str]:
        chosen = np.where(roles == 1, tids[rows], events["tid"][rows])
        return [names.get(tid, "") for tid in chosen.tolist()]

    built = build(KernelRecording(expected, name_of))
    trace = read(path, ReadOptions())
    for name in ("tasks", "intervals", "wakeups", "gaps"):
        assert trace.tables[name].equals(built.tables[name]), name
