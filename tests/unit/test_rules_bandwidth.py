"""cpu.max: quota and period (kernel/sched/fair.c, Linux 6.18)."""

from __future__ import annotations

from tests.unit.pictures import MS, compute, schedule

TEN_OF_TWENTY = {"eevdf.quota_ns": 10 * MS, "eevdf.period_ns": 20 * MS}


def test_a_cpu_is_throttled_at_the_tick_that_sees_its_quota_used_up() -> None:
    # account_cfs_rq_runtime: at 8 ms the first slice of 5 ms is overrun by 3, the second leaves 2; at 12 ms that is
    # overrun by 2 and the pool is empty. At 20 ms it gets 3 (distribute_cfs_runtime); the 7 left end at 28 ms
    line = schedule({"a": [compute(30)]}, parameters=TEN_OF_TWENTY)
    assert line == ["a" * 12 + "." * 8 + "a" * 8 + "." * 12 + "a" * 10]


def test_cpus_share_the_quota() -> None:
    # both take 5 ms at first, and at the tick at 8 ms nothing is left
    lines = schedule({"a": [compute(12)], "b": [compute(12)]}, cpus=2, parameters=TEN_OF_TWENTY)
    assert [line[:20] for line in lines] == ["a" * 8 + "." * 12, "b" * 8 + "." * 12]
