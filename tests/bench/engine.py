"""How many events the engine handles in a second: 1,000 tasks that share 2 CPUs, a lock for every ten, and timers.

The clock runs over `replay` as a whole: reading the program, the loop, and turning what it records into Arrow tables;
in `engine_loop` over the loop alone.
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


def rate(model: str, *, tasks: int = 1000, rounds: int = 400, repeat: int = 5) -> float:
    """Million events a second, after a first replay that compiles."""
    from tracekit.engine.replay import replay

    work = shared_work(tasks, rounds)
    events = replay(work, model, cpus=2).meta["events"]
    return float(events) / seconds(lambda: replay(work, model, cpus=2), repeat=repeat) / 1e6


def loop_rate(model: str) -> float:
    """Million events a second inside the compiled loop alone."""
    from tracekit.engine import replay as module

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

    work = shared_work(1000, 400)
    module.replay(work, model, cpus=2)
    module.compiled_run = timed  # type: ignore[assignment]
    try:
        events = sum(module.replay(work, model, cpus=2).meta["events"] for _ in range(3))
    finally:
        module.compiled_run = original
    return float(events) / spent / 1e6


def _unjitted() -> float:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", UNJITTED], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


@benchmark("engine_thread", unit="M events/s", goal=3, reference="itself without the JIT")
def engine_thread() -> Measurement:
    """1,000 threads on 2 CPUs."""
    return Measurement(rate("thread"), _unjitted())


@benchmark("engine_goroutine", unit="M events/s", goal=3, reference="the thread model")
def engine_goroutine() -> Measurement:
    """1,000 goroutines on 2 CPUs."""
    return Measurement(rate("goroutine"), rate("thread"))


@benchmark("engine_loop", unit="M events/s", goal=3, reference="the same as goroutines")
def engine_loop() -> Measurement:
    """1,000 threads on 2 CPUs, the compiled loop alone: what the engine does without Arrow tables around it."""
    return Measurement(loop_rate("thread"), loop_rate("goroutine"))
