"""How many events the engine handles in a second, and what an event costs as tasks and CPUs grow.

The program: tasks that compute for a moment, take a lock that ten of them share, and sleep; all on a few CPUs. The
clock runs over `replay` as a whole (reading the program, the loop, and Arrow tables of all that is recorded), or over
the compiled loop alone where a name says so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.registry import Measurement, benchmark, seconds

if TYPE_CHECKING:
    from tracekit.tables.bundle import Program

ROOT = Path(__file__).parents[2]
TURNS = "tests.contract.third_party.tracekit_turns:MODEL"
SHARED = """
name = "shared"
[parameters]
tasks = 1000
rounds = 400
[objects.lock]
kind = "mutex"
count = "tasks / 10"
[tasks.worker]
count = "tasks"
start = "0ms"
steps = [{ repeat = "rounds", steps = [
  { compute = { exponential = "40us" } },
  { lock = "lock[i / 10]" }, { compute = "2us" }, { unlock = "lock[i / 10]" },
  { sleep = { exponential = "2ms" } },
] }]
"""
UNJITTED = "from tests.bench.engine import rate; print(rate('thread', tasks=50, rounds=8, repeat=1))"


def shared_work(tasks: int, rounds: int) -> Program:
    """The program above."""
    from tracekit.program.synthesize import synthesize
    from tracekit.program.workload import parse_workload

    return synthesize(parse_workload(SHARED, where="bench"), seed=1, overrides={"tasks": tasks, "rounds": rounds})


def rate(model: str, *, tasks: int = 1000, rounds: int = 400, repeat: int = 5, **options: Any) -> float:
    """Million events a second, after a first replay that compiles."""
    from tracekit.engine.replay import replay

    work = shared_work(tasks, rounds)
    chosen = {"cpus": 2, **options}
    events = replay(work, model, **chosen).meta["events"]
    return float(events) / seconds(lambda: replay(work, model, **chosen), repeat=repeat) / 1e6


def loop_rate(model: str, work: Program, *, repeat: int = 3, **options: Any) -> float:
    """Million events a second inside the compiled loop alone, rows thrown away: the best of `repeat`."""
    from tracekit.engine import replay as module

    class Nowhere:
        def append(self, name: str, table: Any) -> None:
            """Keep nothing."""

    spent = 0.0
    original = module.compiled_run

    def timed(*policies: Any) -> Callable[..., int]:
        run = original(*policies)

        def measured(*arguments: Any) -> int:
            nonlocal spent
            start = time.perf_counter()
            status = run(*arguments)
            spent += time.perf_counter() - start
            return status

        return measured

    chosen = {"cpus": 2, "sink": Nowhere(), **options}
    module.replay(shared_work(10, 2), model, **chosen)  # compiles
    module.compiled_run = timed  # type: ignore[assignment]
    best = 0.0
    try:
        for _ in range(repeat):
            spent = 0.0
            events = module.replay(work, model, **chosen).meta["events"]
            best = max(best, float(events) / spent / 1e6)
    finally:
        module.compiled_run = original
    return best


def _unjitted() -> float:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", UNJITTED], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@benchmark("engine_thread", unit="M events/s", goal=3, reference="itself without the JIT")
def engine_thread() -> Measurement:
    """1,000 threads on 2 CPUs, with tables."""
    return Measurement(rate("thread"), _unjitted())


@benchmark("engine_loop", unit="M events/s", goal=10, reference="with tables")
def engine_loop() -> Measurement:
    """1,000 threads on 2 CPUs, the compiled loop alone: what the engine does without Arrow tables around it."""
    return Measurement(loop_rate("thread", shared_work(1000, 400)), rate("thread", repeat=3), ratio=None)


@benchmark("engine_100k", unit="M events/s", goal=4, reference="1,000 tasks")
def engine_100k() -> Measurement:
    """100,000 threads on 2 CPUs, the loop alone."""
    value, reference = loop_rate("thread", shared_work(100_000, 8)), loop_rate("thread", shared_work(1000, 400))
    return Measurement(value, reference, ratio=value)


@benchmark("engine_goroutine", unit="times slower", goal=2, better="lower", reference="M events/s")
def engine_goroutine() -> Measurement:
    """An event of the goroutine model beside one of the thread model, in the loop alone."""
    work = shared_work(1000, 400)
    goroutine = loop_rate("goroutine", work)
    return Measurement(loop_rate("thread", work) / goroutine, goroutine, ratio=loop_rate("thread", work) / goroutine)


@benchmark("engine_third_party", unit="M events/s", goal=0.9, reference="the built-in round robin")
def engine_third_party() -> Measurement:
    """A round robin from outside the package, in one file of 79 lines, beside the built-in one."""
    work = shared_work(1000, 400)
    theirs = loop_rate(TURNS, work, repeat=5)
    ours = loop_rate("thread", work, repeat=5, kernel="round_robin")
    return Measurement(theirs, ours, ratio=theirs / ours)
