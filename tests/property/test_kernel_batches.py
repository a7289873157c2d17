"""However a recording's events come in batches, and wherever the stretches end, the tables are the same."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_perf_events import EVENTS, records
from tracekit.errors import SourceError
from tracekit.sources.kernel import build as building
from tracekit.sources.kernel import opening
from tracekit.sources.kernel.build import Built, build, build_stream
from tracekit.sources.kernel.events import GAP, Batch, KernelRecording, KernelStream, Records, Rows
from tracekit.tables import store
from tracekit.tables.bundle import Trace
from tracekit.tables.stream import BundleWriter


def names_of(events: Records) -> list[list[str]]:
    """A name for each row and role; "" now and then, which readers give where there is none."""
    return [
        [f"{tid}" if row % 7 else "" for row, tid in enumerate(events[field].tolist())]
        for field in ("tid", "target_tid")
    ]


def recording(events: Records, wakeup: str, gaps: Records) -> KernelRecording:
    names = names_of(events)
    return KernelRecording(
        events.copy(),
        lambda rows, roles: [names[role][row] for row, role in zip(rows.tolist(), roles.tolist(), strict=True)],
        gaps,
        wakeup,
    )


def batches(whole: KernelRecording, sizes: Iterator[int]) -> Iterator[Batch]:
    """The events in batches of these sizes, each unusable when the next is asked for."""
    at = 0
    while at < len(whole.events):
        start, end = at, min(at + next(sizes), len(whole.events))
        events, usable = whole.events[start:end].copy(), [True]

        def names(
            rows: Rows, roles: npt.NDArray[np.int8], start: int = start, end: int = end, usable: list[bool] = usable
        ) -> list[str]:
            assert usable[0] and (not len(rows) or (rows.min() >= 0 and rows.max() < end - start))
            return whole.names(rows + start, roles)

        yield Batch(events, names)
        events["time_ns"], events["tid"], usable[0] = -1, -1, False
        at = end


def outcome(made: Built | SourceError) -> object:
    if isinstance(made, SourceError):
        return str(made)
    tables = {name: table.to_pylist() for name, table in made.tables.items()}
    return (tables, made.origin_ns, made.end_ns, made.events, made.cpus, made.form, made.policies)


def attempt(make: object) -> Built | SourceError:
    assert callable(make)
    try:
        made = make()
    except SourceError as error:
        return error
    assert isinstance(made, Built)
    return made


def gaps_of(rows: list[tuple[int, int, int]]) -> Records:
    gaps = np.zeros(len(rows), GAP)
    for gap, (start, length, cpu) in zip(gaps, rows, strict=True):
        gap["start_ns"], gap["end_ns"], gap["cpu"], gap["lost_events"] = start, start + length, cpu, -1
    return gaps


GAPS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30), st.integers(-1, 2)), max_size=3)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(EVENTS, min_size=1, max_size=60),
    st.sampled_from(["waking", "wakeup"]),
    GAPS,
    st.lists(st.integers(0, 12), min_size=1, max_size=9).filter(any),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_any_batches_make_the_same_tables(
    rows: list[tuple[int, ...]],
    wakeup: str,
    gaps: list[tuple[int, int, int]],
    sizes: list[int],
    chunk: int,
    deciding: int,
) -> None:
    whole = recording(records(rows), wakeup, gaps_of(gaps))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "DECIDING_EVENTS", deciding)
        expected = attempt(lambda: build(recording(records(rows), wakeup, gaps_of(gaps))))
        patch.setattr(building, "CHUNK", chunk)
        repeated = (size for _ in iter(int, 1) for size in sizes)
        stream = KernelStream(batches(whole, repeated), [whole.gaps], wakeup=wakeup)
        assert outcome(attempt(lambda: build_stream(stream))) == outcome(expected)


def all_of(stream: KernelStream) -> KernelRecording:
    """A stream's batches as one recording."""
    events: list[Records] = []
    names: tuple[list[str], list[str]] = ([], [])
    for batch in stream.batches:
        rows = np.arange(len(batch.events))
        for role in (0, 1):
            names[role].extend(batch.names(rows, np.full(len(rows), role, np.int8)))
        events.append(batch.events.copy())
    return KernelRecording(
        np.concatenate(events),
        lambda rows, roles: [names[role][row] for row, role in zip(rows.tolist(), roles.tolist(), strict=True)],
        np.concatenate([np.zeros(0, GAP), *stream.gaps]),
        streams=stream.streams,
    )


@pytest.mark.parametrize("name", ["messaging-thread", "make-j2", "v-lost", "v-cpu0"])
@pytest.mark.reference
def test_recordings_in_batches_are_written_as_they_are_read_whole(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from tracekit.sources.base import ReadOptions
    from tracekit.sources.perf_data import SOURCE, reader

    path = recordings / "perf" / f"{name}.data"
    expected = SOURCE.read(path, ReadOptions())
    whole = all_of(reader.opened(reader.mapped(path), str(path), ReadOptions())[2])
    monkeypatch.setattr(building, "CHUNK", 1000)
    chance = random.Random(5)
    with tempfile.TemporaryDirectory() as folder:
        streamed = Path(folder) / "streamed.tracekit"
        with BundleWriter(streamed, memory_bytes=100_000) as writer:
            sizes = iter(lambda: chance.randint(1, 3000), 0)
            stream = KernelStream(batches(whole, sizes), [whole.gaps], whole.streams)
            made = build_stream(stream, writer)
            assert all(table.num_rows == 0 for table in made.tables.values())
            writer.finish({})
        loaded = store.load(streamed)
    assert isinstance(loaded, Trace)
    assert {name: table.to_pylist() for name, table in loaded.tables.items()} == {
        name: table.to_pylist() for name, table in expected.tables.items()
    }
