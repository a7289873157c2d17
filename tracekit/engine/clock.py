"""When timer interrupts come: on a grid of the machine's clock, whatever runs (kernel/time/tick-sched.c)."""

from __future__ import annotations

from tracekit.engine.queue import arm, tick_slot
from tracekit.engine.state import NATIVE, Sim
from tracekit.jit import njit


@njit
def _ticks_until(sim: Sim, cpu: int, time: int) -> int:
    """Ticks of cpu up to and with `time`."""
    world = sim.world[0]
    period = sim.costs[NATIVE].tick_period
    phase = (world.tick_phase + cpu * world.tick_skew) % period
    return (time - phase) // period


@njit
def ticks_between(sim: Sim, cpu: int, after: int, until: int) -> int:
    """How many ticks cpu had after `after`, up to and with `until`, whether they were events or not."""
    return _ticks_until(sim, cpu, until) - _ticks_until(sim, cpu, after)


@njit
def arm_tick(sim: Sim, cpu: int) -> None:
    """Cpu's next tick is an event: something may change there."""
    slot = tick_slot(sim, cpu)
    if sim.slots[slot] < 0:
        world = sim.world[0]
        period = sim.costs[NATIVE].tick_period
        phase = (world.tick_phase + cpu * world.tick_skew) % period
        arm(sim, slot, (_ticks_until(sim, cpu, world.now) + 1) * period + phase)
