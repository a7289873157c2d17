"""A wakeup that preempts on another CPU: the interrupt takes its time to get there."""

from __future__ import annotations

import pytest

from tests.programs import free_profile, program
from tracekit.engine.replay import replay


@pytest.mark.parametrize("resched_ns", [0, 10_000])
def test_a_cpu_leaves_its_thread_when_the_interrupt_has_come(resched_ns: int) -> None:
    # The waiter was on CPU 1, where the thread that it created computes by now; 3 ms later a wakeup on CPU 0 makes it the one to run.
    made = program(
        {"waker": [("compute", 3_000_000), ("signal", "go"), ("compute", 9_000_000)], "waiter": [("compute", 1000), ("spawn", "other"), ("wait", "go"), ("compute", 1000)], "other": [("compute", 9_000_000)]},
        {"go": ("event", 0)}, nice={"other": 19},
    )  # fmt: skip
    run = replay(made, "thread", cpus=2, profile=free_profile(resched_ns=resched_ns, newidle_pulls=0))
    rows = run.frame("intervals").filter(task_id=1, state="RUNNING").rows(named=True)
    assert [(row["cpu"], row["start_ns"]) for row in rows][-1] == (1, 3_000_000 + resched_ns)
