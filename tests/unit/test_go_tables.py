"""Go traces: hand-made traces, and the tables they must become."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.fuzz.go_stories import CALLBACK, COLLECTOR, COROUTINE, FORK, STORIES, write
from tracekit.sources.base import ReadOptions
from tracekit.sources.go_trace import SOURCE, reading
from tracekit.sources.go_trace.columns import EARLY_ROWS
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check
from tracekit.tables.stream import Collector


def read(text: str, folder: Path) -> Trace:
    return SOURCE.read(write(text, folder), ReadOptions())


def states(trace: Trace, task: int) -> list[str]:
    """`start-end STATE reason @P/thread` for each interval of a task."""
    rows = trace.frame("intervals").filter(pl.col("task_id") == task).iter_rows(named=True)
    return [" ".join(_words(row)) for row in rows]


def _words(row: dict[str, object]) -> list[str]:
    where = "/".join("-" if row[key] is None else str(row[key]) for key in ("cpu", "thread_id"))
    words = [f"{row['start_ns']}-{row['end_ns']}", str(row["state"])]
    return words + ([str(row["reason"])] if row["reason"] else []) + ([] if where == "-/-" else [f"@{where}"])


def ranges(trace: Trace) -> list[tuple[object, ...]]:
    return trace.frame("ranges").select("kind", "name", "task_id", "start_ns", "end_ns", "enclosing_id").rows()


def wakeups(trace: Trace) -> list[tuple[object, ...]]:
    return trace.frame("wakeups").select("at_ns", "waker_id", "wakee_id", "cpu", "reason").rows()


@pytest.fixture
def fork(tmp_path: Path) -> Trace:
    return read(FORK, tmp_path)


def test_main_goroutine_waits_and_calls_the_kernel(fork: Trace) -> None:
    assert states(fork, 0) == [
        "0-99 RUNNING @0/10",
        "99-449 BLOCKED wait_group",
        "449-469 RUNNABLE wakeup",
        "469-489 RUNNING @0/10",
        "489-519 BLOCKED syscall @-/10",
        "519-539 RUNNING @0/10",
        "539-910 BLOCKED syscall @-/10",
        "910-912 RUNNABLE syscall",
        "912-2099 RUNNING @0/10",
        "2099-2100 BLOCKED channel_recv",
    ]


def test_workers_are_created_preempted_and_end(fork: Trace) -> None:
    assert states(fork, 1) == [
        "39-109 RUNNABLE spawn",
        "109-209 RUNNING @0/10",
        "209-329 RUNNABLE preempted",
        "329-389 RUNNING @0/10",
    ]
    assert states(fork, 2) == [
        "49-219 RUNNABLE spawn",
        "219-319 RUNNING @0/10",
        "319-379 BLOCKED channel_recv",
        "379-399 RUNNABLE wakeup",
        "399-459 RUNNING @0/10",
    ]


def test_wakeups_name_the_goroutine_that_was_running(fork: Trace) -> None:
    assert wakeups(fork) == [
        (39, 0, 1, 0, "spawn"),
        (49, 0, 2, 0, "spawn"),
        (379, 1, 2, 0, "channel_recv"),
        (449, 2, 0, 0, "wait_group"),
        (910, None, 0, None, "syscall"),
    ]


def test_tasks_are_named_by_the_function_they_run(fork: Trace) -> None:
    tasks = fork.frame("tasks")
    assert tasks["name"].to_list() == ["main.main", "main.worker", "main.worker"]
    assert tasks["source_id"].to_list() == [1, 5, 6]
    assert tasks["parent_id"].to_list() == [None, 0, 0]
    assert tasks["process_id"].to_list() == [0, 0, 0]
    assert tasks["end_ns"].to_list() == [None, 389, 459]
    assert tasks["exit_reason"].to_list() == [None, "exit", "exit"]
    assert tasks["kind"].unique().to_list() == ["goroutine"]


def test_only_the_state_before_first_sight_is_inferred(fork: Trace) -> None:
    inferred = fork.frame("intervals").filter("inferred")
    assert inferred.select("task_id", "start_ns").rows() == [(0, 0)]


def test_meta_puts_time_zero_on_all_clocks(fork: Trace) -> None:
    assert fork.meta["clock"] == {
        "name": "CLOCK_MONOTONIC",
        "origin_ns": 1001,
        "wall_origin_ns": 1_700_000_000 * 10**9 + 1001,
    }
    assert (fork.meta["cpus"], fork.meta["end_ns"], fork.meta["events"]) == (2, 2100, 31)
    assert (fork.meta["kernel"], fork.meta["form"]) == ("go1.26", "goroutine")
    assert fork.meta["source"]["version"] == "1.26 (Go 1.26 and later)"


def test_stopped_world_is_a_range(fork: Trace) -> None:
    assert ranges(fork) == [("stop_the_world", "GC sweep termination", 0, 19, 29, None)]


def test_coroutine_switch_is_unblock_block_start(tmp_path: Path) -> None:
    trace = read(COROUTINE, tmp_path)
    assert states(trace, 1)[:4] == [
        "19-29 BLOCKED coroutine",
        "29-31 RUNNABLE wakeup",
        "31-80 RUNNING @0/10",
        "80-129 BLOCKED coroutine",
    ]
    assert states(trace, 0)[:3] == ["0-30 RUNNING @0/10", "30-79 BLOCKED coroutine", "79-81 RUNNABLE wakeup"]
    assert (129, 0, 1, 0, "coroutine") in wakeups(trace)
    assert trace.frame("tasks")["end_ns"].to_list()[1] == 180
    assert trace.frame("tasks")["name"].to_list() == ["goroutine 1", "goroutine 5"]


def test_callback_from_c_begins_and_ends_in_a_system_call(tmp_path: Path) -> None:
    trace = read(CALLBACK, tmp_path)
    assert states(trace, 0) == [
        "0-9 BLOCKED syscall @-/20",
        "9-39 RUNNABLE syscall",
        "39-49 RUNNING @0/20",
        "49-60 BLOCKED syscall @-/20",
    ]
    assert trace.frame("gaps").height == 0


def test_collector_and_annotations_are_ranges(tmp_path: Path) -> None:
    trace = read(COLLECTOR, tmp_path)
    found = ranges(trace)
    assert [of[0] for of in found] == ["gc", "mark_assist", "sweep", "user_task", "region", "log"]
    assert found[1][2:] == (0, 29, 39, None)
    assert trace.frame("ranges")["bytes"].to_list() == [None, None, 4096, None, None, None]
    assert [of[5] for of in found[3:]] == [None, 3, 4]  # the region is part of the task, the line part of the region
    assert trace.frame("counters").select("kind", "value").rows() == [
        ("heap_bytes", 1_000_000), ("heap_goal_bytes", 4_194_304), ("cpu_limit", 2),
    ]  # fmt: skip
    assert check(trace) == []


def test_rows_are_the_same_where_a_sink_takes_them(tmp_path: Path) -> None:
    for name, text in STORIES.items():
        path = write(text, tmp_path)
        whole, sink = SOURCE.read(path, ReadOptions()), Collector()
        given = SOURCE.read(path, ReadOptions(sink=sink))
        assert given.tables["intervals"].num_rows == 0
        assert given.meta == whole.meta, name
        for table, rows in sink.tables().items():
            assert rows.to_pylist() == whole.tables[table].to_pylist(), (name, table)


def test_stacks_tell_where_a_goroutine_waits(fork: Trace) -> None:
    stacks = fork.frame("stacks")
    places = fork.frame("intervals").filter(pl.col("stack_id").is_not_null()).join(stacks, on="stack_id")
    waiting = places.filter((pl.col("task_id") == 0) & (pl.col("reason") == "wait_group"))
    assert waiting["function"].to_list() == ["sync.(*WaitGroup).Wait"]
    caller = stacks.row(waiting["caller_id"][0], named=True)
    assert caller["function"] == "main.main"


def test_wakeup_without_a_goroutine_has_no_waker(tmp_path: Path) -> None:
    trace = read(COLLECTOR, tmp_path)
    (poller,) = trace.frame("wakeups").rows(named=True)
    assert (poller["waker_id"], poller["cpu"], poller["reason"]) == (None, 1, None)
    assert trace.frame("tasks")["source_id"].to_list()[poller["wakee_id"]] == 30


@pytest.mark.parametrize("story", STORIES)
def test_stories_keep_the_laws(story: str, tmp_path: Path) -> None:
    trace = read(STORIES[story], tmp_path)
    assert check(trace) == []
    assert trace.frame("gaps").height == 0


def test_ids_mean_something_else_in_the_next_generation(tmp_path: Path) -> None:
    second = FORK.rindex('data="chan receive"')
    trace = read(FORK[:second] + 'data="sleep"' + FORK[second + len('data="chan receive"') :], tmp_path)
    assert states(trace, 0)[-1] == "2099-2100 BLOCKED sleep"
    assert "channel_recv" in states(trace, 2)[2]


def test_thread_ids_that_are_addresses_are_numbered(tmp_path: Path) -> None:
    trace = read(CALLBACK.replace("m=20", "m=6128431104"), tmp_path)
    assert trace.frame("intervals")["thread_id"].drop_nulls().unique().to_list() == [1]


def test_old_clock_of_another_unit_is_not_called_monotonic(tmp_path: Path) -> None:
    clock = read(COROUTINE, tmp_path).meta["clock"]
    assert clock == {"name": "Go trace clock", "origin_ns": 1001, "wall_origin_ns": None}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("GoBlock dt=50 reason_string=5 stack=3", "BLOCKED wait_group"),
        ("GoBlock dt=50 reason_string=5 stack=1", "BLOCKED lock"),
        ("GoBlock dt=50 reason_string=5 stack=0", "BLOCKED lock"),
        ("GoBlock dt=50 reason_string=1 stack=3", "BLOCKED channel_recv"),
        ("GoBlock dt=50 reason_string=77 stack=3", "BLOCKED"),
    ],
)
def test_a_semaphore_is_told_apart_by_the_stack(event: str, reason: str, tmp_path: Path) -> None:
    trace = read(FORK.replace("GoBlock dt=50 reason_string=5 stack=3", event), tmp_path)
    assert states(trace, 0)[1] == f"99-449 {reason}"


def test_progress_reaches_the_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = write(FORK, tmp_path)
    SOURCE.read(path, ReadOptions(progress=lambda done, total: seen.append((done, total))))
    assert len(seen) == 2
    assert seen == sorted(seen)
    assert all(total == path.stat().st_size for _, total in seen)


def test_a_small_window_gives_the_same_rows(traces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = traces / "go-forkjoin.trace"
    whole, sink = SOURCE.read(path, ReadOptions()), Collector()
    monkeypatch.setattr(reading, "_WINDOW_ROWS", EARLY_ROWS + 600)
    given = SOURCE.read(path, ReadOptions(sink=sink))
    assert given.meta == whole.meta
    for table, rows in sink.tables().items():
        assert rows.equals(whole.tables[table]), table
