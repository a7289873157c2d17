"""What kernel policies have in common: weights by nice value, and the parameters of the machine below them."""

from __future__ import annotations

from collections.abc import Mapping

from tracekit.engine import bandwidth, caches
from tracekit.models.kernels import balancing, placement
from tracekit.models.model import Parameter, Sizes

# What the fair classes consist of beside their own file.
FAIR_PARTS = tuple(module.__name__ for module in (placement, balancing, bandwidth, caches))
RT_PARTS = (placement.__name__, caches.__name__)

# The fair classes stretch their times by the number of CPUs (kernel/sched/fair.c: sched_update_scaling), which is the
# machine's, whatever CPUs a program is bound to.
SCALING = (
    Parameter("machine_cpus", 0, "count", "CPUs of the machine, which scale its times; 0: those of the run", 0, 8192),
)
# When the timer interrupt comes (kernel/time/tick-sched.c, tick_setup_sched_timer); the engine reads these.
TICKS = (
    Parameter("hz", 0, "count", "timer interrupts a second (CONFIG_HZ); 0: the profile's tick_period_ns", 0, 10_000),
    Parameter("tick_phase_ns", 0, "ns", "when the first tick comes, on CPU 0"),
    Parameter("skew_tick", 0, "count", "1: ticks of the CPUs are spread over half a period (skew_tick=1)", 0, 1),
)
# The cgroup's cpu.max (kernel/sched/fair.c: account_cfs_rq_runtime, do_sched_cfs_period_timer); the engine reads these.
BANDWIDTH = (
    Parameter("quota_ns", 0, "ns", "CPU time that all threads together get in a period (cpu.max); 0: no limit"),
    Parameter("period_ns", 100_000_000, "ns", "the period of quota_ns", 1_000_000),
    Parameter("bandwidth_slice_ns", 5_000_000, "ns", "what a CPU takes of the quota at once", 1000),
)


def time_scale(sizes: Sizes, parameters: Mapping[str, int]) -> int:
    """By how much the fair classes stretch their times: 1 + log2 of the machine's CPUs, of which 8 count."""
    cpus = parameters["machine_cpus"] or sizes.cpus
    return min(cpus, 8).bit_length()
