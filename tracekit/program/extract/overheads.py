"""What the recorded form and its recorder cost, taken out of computing, so that a replay can charge its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracekit.jit import cached_njit
from tracekit.machine.profile import FormCosts
from tracekit.program.arrays import Flags, Ints
from tracekit.program.extract.operations import SIGNAL, SPAWN, YIELD, Operations
from tracekit.program.extract.pieces import Pieces
from tracekit.program.extract.timeline import Moments, Timeline
from tracekit.vocabulary import SEGMENTS

_TIMED = [SEGMENTS[kind] for kind in ("sleep", "io", "network", "syscall", "arrival")]


@dataclass(frozen=True)
class Besides:
    """Where tasks were when something cost them time that is no operation of theirs."""

    interrupts: Moments  # a timer or a device took their CPU to wake somebody
    sent: Moments  # they sent an interrupt to a CPU that idled
    lock_waits: Moments  # they waited for a lock inside the kernel
    lock_wakes: Moments  # they ended such a wait
    fresh: Flags  # of each task, whether no ended goroutine was there to be used again when it was created
    untold: float  # interrupts on each ns of a CPU of which only the number is known, not whom they struck


def recorded_compute(line: Timeline, ops: Operations, pieces: Pieces) -> Ints:
    """On-CPU ns of each piece, as recorded."""
    return pieces.between(ops.offset, line.before[line.first_run])


def take_out(
    line: Timeline, ops: Operations, pieces: Pieces, compute: Ints, ended: Flags, besides: Besides, costs: FormCosts
) -> tuple[Ints, dict[str, int]]:
    """Each piece without its costs, and what was taken out by kind. `ended` says which tasks ended in the recording.

    A wait costs where it begins, a switch where the task comes onto a CPU, a wakeup just after its operation (the
    kernel announces it first), a creation before it (announced when done), what a new task pays before all else, its
    end after all, and the recorder one event for each of them, for a creation two; a switch's is written before the task
    comes, at its cost. What a piece is too short for is taken from the nearest pieces of the same stretch between two
    waits, first those after it; what the whole stretch is too short for is left.
    """
    amounts = _amounts(line, ops, pieces, compute, ended, besides, costs)
    starts = pieces.stretch_starts(ops.blocks)
    left = compute.copy()
    cost = np.sum(list(amounts.values()), axis=0)
    _subtract(left, cost, np.append(starts, pieces.count))
    taken = np.add.reduceat(compute - left, starts)
    removed = _by_kind(amounts, taken, starts)
    removed["spawn"] += _ends_across_waits(left, pieces, ended, costs.exit_ns, starts, cost, taken)
    return left, removed


def _amounts(
    line: Timeline, ops: Operations, pieces: Pieces, compute: Ints, ended: Flags, besides: Besides, costs: FormCosts
) -> dict[str, Ints]:
    """What each piece holds of each kind of cost, whether it is long enough or not."""
    below = line.below()
    switches, switches_below = (
        _runs_in(pieces, ops, line, which) for which in (line.switched_in & ~below, line.switched_in & below)
    )
    waits = ops.blocks & (ops.kind != YIELD)
    kernels = waits & np.append(below, False)[ops.runs]
    signals = pieces.at(pieces.before_op[ops.kind == SIGNAL] + 1) + pieces.holding(besides.lock_wakes, ops)
    spawns = ops.kind == SPAWN
    created = ops.target[spawns]
    exits = pieces.at(pieces.final[ended])
    struck = pieces.holding(besides.interrupts, ops)
    threads = costs.below or costs
    return {
        "recorder": (switches + signals + 2 * pieces.before(spawns) + exits + struck) * costs.recorder_event_ns
        + switches * (costs.recorder_switch_ns + costs.recorder_callchain_ns)
        + switches_below * (threads.recorder_event_ns + threads.recorder_switch_ns + threads.recorder_callchain_ns),
        "switch": switches * costs.switch_ns + switches_below * threads.switch_ns,
        "block": (pieces.before(waits & ~kernels) + pieces.holding(besides.lock_waits, ops)) * costs.block_ns
        + pieces.before(kernels) * threads.block_ns + pieces.before(ops.kind == YIELD) * costs.yield_ns,
        "wake": signals * costs.wake_ns + pieces.holding(besides.sent, ops) * costs.idle_wake_ns,
        "spawn": pieces.before(spawns) * costs.spawn_ns + exits * costs.exit_ns
        + pieces.at(pieces.before_op[spawns][besides.fresh[created]]) * costs.fresh_ns
        + pieces.at(pieces.per_task[created] + created) * costs.first_run_ns,
        "syscall": pieces.before(np.isin(ops.kind, _TIMED)) * costs.timed_wait_ns,
        "idle_enter": _into_idle(line, ops, pieces, besides.lock_waits) * costs.idle_enter_ns,
        "tick": compute * costs.tick_ns // costs.tick_period_ns
        + ((struck + compute * besides.untold) * costs.interrupt_ns).astype(np.int64),
    }  # fmt: skip


def _into_idle(line: Timeline, ops: Operations, pieces: Pieces, lock_waits: Moments) -> Ints:
    """How often the CPU idled after a wait that ends each piece, or after one for a lock inside the kernel in it."""
    idle = np.append(line.into_idle(), False)
    return pieces.before(ops.blocks & idle[ops.runs - 1]) + pieces.holding(
        lock_waits.take(idle[lock_waits.runs - 1]), ops
    )


def _runs_in(pieces: Pieces, ops: Operations, line: Timeline, which: Flags) -> Ints:
    """How many of these runs begin in each piece."""
    count = np.concatenate(([0], np.cumsum(which)))
    return pieces.between(count[ops.runs], count[line.first_run])


def _ends_across_waits(
    left: Ints, pieces: Pieces, ended: Flags, exit_ns: int, starts: Ints, cost: Ints, taken: Ints
) -> int:
    """Take what is left of the costs of ends from before the tasks' last waits: an end waits for locks on its way."""
    last = np.searchsorted(starts, pieces.final, side="right") - 1
    short = (np.add.reduceat(cost, starts) - taken)[last]
    owed = np.zeros(pieces.count, np.int64)
    owed[pieces.final] = np.where(ended, np.minimum(short, exit_ns), 0)
    before = int(left.sum())
    _subtract(left, owed, np.append(np.insert(pieces.final[:-1] + 1, 0, 0), pieces.count))
    return before - int(left.sum())


@cached_njit
def _subtract(left: Ints, cost: Ints, bounds: Ints) -> None:
    """Take costs from `left` within each stretch: what does not fit goes on to later pieces, then to earlier ones."""
    for stretch in range(len(bounds) - 1):
        owed = 0
        for piece in range(bounds[stretch], bounds[stretch + 1]):
            owed += cost[piece]
            taken = min(owed, left[piece])
            left[piece] -= taken
            owed -= taken
        piece = bounds[stretch + 1] - 1
        while owed > 0 and piece >= bounds[stretch]:
            taken = min(owed, left[piece])
            left[piece] -= taken
            owed -= taken
            piece -= 1


def _by_kind(amounts: dict[str, Ints], taken: Ints, starts: Ints) -> dict[str, int]:
    """Where a stretch was too short for its costs, kinds go first come, first served, in the order given."""
    result = {}
    for kind, amount in amounts.items():
        part = np.minimum(np.add.reduceat(amount, starts), taken)
        taken = taken - part
        result[kind] = int(part.sum())
    return result
