"""Every recording that `perf script` reads gives the same events here, one for one, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.roundtrip.perf_text import RECORDINGS, script_events
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.events import EVENT_KINDS, PREV_STATES, SCHEDULING_KINDS, Batch, KernelStream, Records
from tracekit.sources.kernel.tracepoints import TRACEPOINTS
from tracekit.sources.perf_data.header import read_header
from tracekit.sources.perf_data.layout import layouts
from tracekit.sources.perf_data.planning import recognised
from tracekit.sources.perf_data.reader import mapped, opened
from tracekit.sources.perf_data.records import Windows, ids_of, notes_of

pytestmark = pytest.mark.reference

EVENT_NAMES = {kind: event for event, (kind, *_) in TRACEPOINTS.items()}
FOUND = sorted(path for folder in ("perf", "forms") for path in (RECORDINGS / folder).glob("*.script.txt.gz"))
REFUSED_BY_PERF = {"x-cut70", "x-cut2000", "x-cut100", "x-unfinished", "x-zstd-cut70", "x-zstd-flip1"}
DAMAGED_TIME = "x-flip3"
READ_BY_PERF = [path for path in FOUND if path.name.split(".")[0] not in REFUSED_BY_PERF | {DAMAGED_TIME}]


def read_stream(path: Path) -> KernelStream:
    return opened(mapped(path), str(path), ReadOptions())[2]


def is_traced(events: Records) -> npt.NDArray[np.bool_]:
    """Which events come from tracepoints: perf's own notes of forks name no CPU, those of exits name a process."""
    scheduling = (events["kind"] < SCHEDULING_KINDS) & (events["cpu"] >= 0)
    scheduling |= events["kind"] >= EVENT_KINDS["sys_enter"]
    found: npt.NDArray[np.bool_] = scheduling | (events["kind"] == EVENT_KINDS["exit"]) & (events["value"] < 0)
    return found


def our_events(path: Path) -> list[dict[str, object]]:
    """The scheduling events as `script_events` has them."""
    return [event for batch in read_stream(path).batches for event in _in_words(batch)]


def _in_words(batch: Batch) -> Iterator[dict[str, object]]:
    kinds, states = EVENT_KINDS.names, list(PREV_STATES)
    traced = np.flatnonzero(is_traced(batch.events))
    own, target = (batch.names(traced, np.full(len(traced), role, np.int8)) for role in (0, 1))
    for row, own_name, target_name in zip(batch.events[traced], own, target, strict=True):
        kind = kinds[row["kind"]]
        event = {"event": EVENT_NAMES[kind], **{name: int(row[name]) for name in ("time_ns", "cpu", "tid")}}
        if kind in ("sys_enter", "sys_exit"):
            yield event | {"value": int(row["value"])}
            continue
        if kind != "exec":
            event |= {"target": int(row["target_tid"]), "target_name": target_name}
        if kind == "switch":
            event |= {"name": own_name, "state": states[row["prev_state"]]}
        if kind == "stat_runtime":
            event["value"] = int(row["value"])
        if kind in ("waking", "wakeup", "wakeup_new", "migrate"):
            event["target_cpu"] = int(row["target_cpu"])
        yield event


@pytest.mark.skipif(not FOUND, reason=f"needs recordings in {RECORDINGS}")
@pytest.mark.parametrize("script", READ_BY_PERF, ids=lambda path: path.name.split(".")[0])
def test_events_agree_one_for_one(script: Path) -> None:
    expected = script_events(script)
    assert expected
    assert_same(our_events(script.with_name(script.name.replace(".script.txt.gz", ".data"))), expected)


def assert_same(found: list[dict[str, object]], expected: list[dict[str, object]]) -> None:
    assert len(found) == len(expected)
    for number, (ours, perfs) in enumerate(zip(found, expected, strict=True)):
        if perfs["tid"] == -1:  # perf asks for the tid of a task that has let go of it; the event itself still knows
            perfs = {**perfs, "tid": ours["tid"]}
        assert ours == perfs, f"event {number}"


@pytest.mark.skipif(not FOUND, reason=f"needs recordings in {RECORDINGS}")
def test_an_event_whose_time_was_damaged_is_left_out_where_perf_puts_it_seconds_late() -> None:
    folder = RECORDINGS / "perf"
    expected = script_events(folder / f"{DAMAGED_TIME}.script.txt.gz")
    assert_same(our_events(folder / f"{DAMAGED_TIME}.data"), expected[:-1])


@pytest.mark.skipif(not FOUND, reason=f"needs recordings in {RECORDINGS}")
def test_a_file_that_perf_refuses_for_its_unfinished_header_is_read_whole() -> None:
    folder = RECORDINGS / "perf"
    assert_same(our_events(folder / "x-unfinished.data"), script_events(folder / "messaging-proc.script.txt.gz"))


@pytest.mark.skipif(not FOUND, reason=f"needs recordings in {RECORDINGS}")
def test_of_a_cut_file_whose_formats_are_lost_the_events_are_recognised() -> None:
    folder = RECORDINGS / "perf"
    found = our_events(folder / "x-cut70.data")
    whole = iter(script_events(folder / "messaging-proc.script.txt.gz"))
    assert len(found) > 10_000
    assert all(event in whole for event in found)  # each behind the one before, none changed
    assert {event["event"] for event in found} == set(EVENT_NAMES.values()) & {
        "sched_switch", "sched_waking", "sched_wakeup_new", "sched_migrate_task", "sched_stat_runtime"
    }  # fmt: skip


RECOGNISABLE = sorted((RECORDINGS / "perf").glob("[!x]*.data"))


@pytest.mark.skipif(not RECOGNISABLE, reason=f"needs recordings in {RECORDINGS}")
def test_what_is_recognised_without_formats_is_what_the_formats_say() -> None:
    """On recordings that have them: recognition may leave an event out, and never takes one for another."""
    proven = 0
    for path in RECOGNISABLE:
        data = mapped(path)
        header = read_header(data.data, str(path))
        notes, rows = notes_of(data, header), layouts(header.attrs)
        windows = Windows(data, header, rows, ids_of(header, rows, str(path)), window_bytes=100_000)
        for attr, event in zip(header.attrs, recognised(header, rows, windows), strict=True):
            if event is None:
                continue
            truth = notes.formats[attr.config]
            places = {name: (field.offset, field.size) for name, field in truth.fields.items()}
            assert (event.name, attr.config) == (truth.name, truth.id), path
            assert all(places[name] == (field.offset, field.size) for name, field in event.fields.items()), path
            proven += 1
    assert proven > 50
