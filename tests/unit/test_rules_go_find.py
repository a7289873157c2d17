"""findRunnable, step by step, and who wakes an M and pays for it: src/runtime/proc.go of Go 1.27."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.programs import Steps
from tests.unit.goroutines import US, go, lines
from tests.unit.pictures import MS, compute, sleep
from tracekit.engine.hooks import AGAIN
from tracekit.errors import ModelError
from tracekit.models.model import Sizes
from tracekit.models.runtimes.go import RUNTIME, find
from tracekit.tables.bundle import Run

ONE = [compute(1)]
TINY = [("compute", US)]


def spawns(*names: str) -> list[tuple[str, str]]:
    return [("spawn", name) for name in names]


def charged(run: Run, kind: str) -> list[tuple[int | None, int]]:
    """Task and duration of the overheads of a kind, in order."""
    rows = run.frame("overheads").filter(pl.col("kind").cast(pl.String) == kind)
    return list(rows.select("task_id", "duration_ns").iter_rows())


def test_findrunnable_timers_then_local_then_global_then_network() -> None:
    # s sleeps, n waits for a socket, g yields into the global queue, r is behind h in the ring. When h ends all four
    # could run: s comes from its timer into runnext (step 2), r from the ring (7), g (8), and n from netpoll (9)
    work: dict[str, Steps] = {
        "m": spawns("n", "g", "h", "r", "s"),
        "s": [sleep(1), compute(1)],
        "n": [("network", MS), compute(1)],
        "g": [("yield",), compute(1)],
        "h": [compute(5)],
        "r": ONE,
    }
    assert lines(go(work)) == ["hhhhhsrgn"]


@pytest.mark.parametrize(("before", "picture"), [(58, "ca"), (59, "ac")])
def test_findrunnable_while_schedtick_is_a_multiple_of_61_the_global_queue_is_first(before: int, picture: str) -> None:
    # m makes schedtick 1, z inherits, and each of the ring adds one: behind 59 others a makes it 61. a creates c, which
    # inherits, and goes to the global queue: at tick 61 that is looked at before runnext, at 60 after it
    fillers = [f"f{i}" for i in range(before)]
    work: dict[str, Steps] = {"m": spawns(*fillers, "a", "z"), **dict.fromkeys([*fillers, "z"], ()), "c": TINY}
    run = go({**work, "a": [("spawn", "c"), ("yield",), ("compute", US)]})
    assert lines(run, US) == [picture]


def test_findrunnable_searches_only_when_less_than_half_of_the_busy_ps_do() -> None:
    # the thief on P1 sleeps for a's runnext; a ends at 20 us, and of 2 busy Ps one spins already: m's M parks without
    # a search (4 passes over one other P, 100 ns each)
    work: dict[str, Steps] = {"m": [("spawn", "a"), ("compute", 10 * US)], "a": [("compute", 10 * US)]}
    run = go(work, cpus=2, costs={"steal_ns": 100})
    assert charged(run, "steal") == [(None, 400)]


def test_needspinning_keeps_an_m_that_is_about_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    # step 12: somebody found no idle P to wake (wakep); the M that gives its P up looks once more, as that one. It is a
    # guard of what comes between two looks, which one event after another never does, so there is no schedule to draw
    rt: Any = RUNTIME.state(Sizes(1, 4, 3, 2), {p.name: p.default for p in RUNTIME.parameters})
    rt.sched[0].needspinning = 1
    rt.ms[1].p = 0
    for name in ("become_spinning", "_stop"):
        function = getattr(find, name)
        monkeypatch.setattr(find, name, getattr(function, "py_func", function))
    assert find._stop(rt, None, None, 1, 0) == AGAIN
    assert (rt.ms[1].spinning, rt.sched[0].nmspinning, rt.sched[0].needspinning) == (1, 1, 0)
    assert rt.ms[1].p == 0  # it keeps the P


def test_startm_its_caller_pays_for_a_new_m_and_for_a_woken_one() -> None:
    # m creates a: no M is parked, so a thread is made (newm); when that has parked, m's next one wakes it (futex)
    work: dict[str, Steps] = {"m": [("spawn", "a"), compute(2), ("spawn", "b"), compute(2)], "a": ONE, "b": ONE}
    run = go(work, cpus=2, costs={"thread_spawn_ns": 10 * US, "thread_wake_ns": 3 * US})
    assert charged(run, "spawn")[0] == (0, 10 * US)
    assert (0, 3 * US) in charged(run, "runtime")
    assert run.meta["counters"]["threads"] == 2


def test_startm_makes_no_more_ms_than_allowed() -> None:
    # sched.maxmcount: Go throws
    with pytest.raises(ModelError, match="needs more than 2 kernel threads"):
        go({name: [("io", MS)] for name in "abcd"}, max_threads=2)


def test_gomaxprocs_bounds_who_runs_at_once() -> None:
    # one P on two CPUs
    run = go({"a": [compute(2)], "b": [compute(2)]}, cpus=2, gomaxprocs=1)
    assert sorted(lines(run)) == ["....", "aabb"]


@pytest.mark.parametrize(("cpus", "length_ms"), [(1, 5), (2, 30)])
def test_handoffp_without_work_starts_an_m_to_look_or_to_poll(cpus: int, length_ms: int) -> None:
    # one P, none idle and nobody spinning: an M that spins. Two, the other one idle: the last one has to poll
    run = go({"s": [("syscall", length_ms * MS)]}, cpus=cpus)
    assert run.meta["counters"]["handoffs"] == 1
    assert run.meta["counters"]["threads"] == 2


def test_sysmon_sleeps_deeply_when_all_ps_are_idle() -> None:
    # 100 ms of a sleeping program need two or three rounds, of a computing one some sixty
    idle, busy = (len(charged(go({"a": steps}, sysmon_ns=US), "runtime")) for steps in ([sleep(100)], [compute(100)]))
    assert idle <= 3 and busy > 50


def test_mutex_a_woken_loser_waits_in_front() -> None:
    # a unlocks, which wakes u, and locks again; u looks, finds it taken and goes in front of v (sync.runtime_SemacquireMutex)
    section = [("lock", "x"), compute(1), ("unlock", "x")]
    work: dict[str, Steps] = {
        "a": [("lock", "x"), sleep(1), ("unlock", "x"), ("lock", "x"), ("yield",), compute(1), ("unlock", "x")],
        "u": section,
        "v": section,
    }
    assert lines(go(work, {"x": ("mutex", None)}, lock_handoff_ns=50 * MS)) == [".auv"]


def test_semaphores_wake_in_the_order_of_waiting() -> None:
    # sema.go: each signal readies the one that waits longest, into runnext
    waits = [("wait", "e"), compute(1)]
    work: dict[str, Steps] = {"m": [sleep(1), *[("signal", "e"), ("yield",), compute(1)] * 2], "u": waits, "v": waits}
    assert lines(go(work, {"e": ("event", None)})) == [".umvm"]
