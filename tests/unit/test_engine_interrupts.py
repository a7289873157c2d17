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


@pytest.mark.parametrize(
    ("return_ns", "woken_ns", "runs_ns"), [(0, 2_000_000, 2_012_000), (5_000, 2_007_000, 2_012_000)]
)
def test_a_timers_interrupt_wakes_before_it_is_over(return_ns: int, woken_ns: int, runs_ns: int) -> None:
    """It takes 12 us from who computes; whom it is for is woken on the way, and comes when it is over."""
    made = program(
        {"waiter": [("network", 2_000_000), ("compute", 1000)], "computer": [("compute", 3_000_000)]},
        {}, nice={"computer": 19},
    )  # fmt: skip
    profile = free_profile(timer_interrupt_ns=12_000, timer_return_ns=return_ns)
    run = replay(made, "thread", cpus=1, profile=profile)
    woken = run.frame("wakeups").filter(wakee_id=0, reason="network")["at_ns"].to_list()
    ran = run.frame("intervals").filter(task_id=0, state="RUNNING")["start_ns"].to_list()
    assert (woken, ran[-1]) == ([woken_ns], runs_ns)
    assert run.meta["end_ns"] == 3_000_000 + 12_000 + 1000
