"""What a task finds gone when it gets a CPU: its address space's TLB entries, and its data in the caches.

* A CPU keeps the TLB entries of six address spaces apart; a seventh takes over one's place (choose_new_asid,
  TLB_NR_DYN_ASIDS; arch/x86/mm/tlb.c). Kernel threads run in the mapping they find (enter_lazy_tlb).
* fork copies page tables by the size of what its caller has touched (copy_page_range, mm/memory.c), and the child
  copies pages when it first writes to them (do_wp_page).
* Caches, by footprint: what others touched since a task last ran on this CPU has pushed out as much of its own as
  does not fit beside it; on another CPU, L1 and L2 are cold. By default one figure a migration (cache_model 1).

Left out:
* Page table isolation and predictor barriers (KPTI, IBPB): they are not active on the reference machine.
* exec: a process is forked and runs its parent's program.
"""

from __future__ import annotations

from tracekit.engine.record import add_memory, charge
from tracekit.engine.state import (
    ASIDS,
    CACHE_FOOTPRINT,
    CACHE_MIGRATION,
    NATIVE,
    NONE,
    O_CACHE,
    O_SPACE,
    O_SPAWN,
    Sim,
)  # fmt: skip
from tracekit.jit import njit


@njit
def _new_asid(sim: Sim, cpu: int, space: int) -> bool:
    """Whether the CPU has no ASID for the address space: it takes over the next one, whose entries it flushes
    (choose_new_asid, arch/x86/mm/tlb.c)."""
    first = cpu * ASIDS
    for i in range(ASIDS):
        if sim.asids[first + i] == space:
            return False
    c = sim.cpus[cpu]
    sim.asids[first + c.next_asid] = space
    c.next_asid = (c.next_asid + 1) % ASIDS
    return True


@njit
def change_space(sim: Sim, cpu: int, task: int, space: int) -> None:
    """The CPU's memory mapping becomes `space`; kernel threads (space -1) run in the one they find (lazy TLB)."""
    c = sim.cpus[cpu]
    if space == c.last_space or space == NONE:
        return
    costs = sim.costs[NATIVE]
    flushed = _new_asid(sim, cpu, space)
    if c.last_space != NONE:
        charge(sim, cpu, task, O_SPACE, costs.address_space + (costs.tlb_refill if flushed else 0))
    c.last_space = space


@njit
def first_run(sim: Sim, cpu: int, task: int) -> None:
    """A forked task writes to the pages it shares with its parent: each is copied (do_wp_page), and its own from then on."""
    t = sim.tasks[task]
    if t.layer == NATIVE and sim.costs[NATIVE].touched > 0:
        t.resident += sim.costs[NATIVE].touched
        add_memory(sim, sim.costs[NATIVE].touched, 0)
    if t.parent >= 0:
        charge(sim, cpu, task, O_SPAWN, sim.costs[NATIVE].cow)


@njit
def _evicted(footprint: int, others: int, size: int) -> int:
    """Bytes of the footprint that others pushed out of a cache of `size` bytes (least recently used first)."""
    held = min(footprint, size)
    return min(max(held + others - size, 0), held)


@njit
def refill(sim: Sim, cpu: int, task: int) -> None:
    """Charge the task for what it finds evicted on cpu; on another CPU than before, L1 and L2 are cold.

    cache_model 1 charges one figure after a migration; 2 goes by footprints: L1 is refilled from L2, and L2 from
    the L3 that all CPUs share.
    """
    model = sim.world[0].cache_model
    if model == CACHE_MIGRATION:
        if sim.tasks[task].warm_cpu != cpu and sim.tasks[task].warm_cpu >= 0:
            charge(sim, cpu, task, O_CACHE, sim.costs[NATIVE].cache_refill)
        sim.tasks[task].warm_cpu = cpu
    elif model == CACHE_FOOTPRINT:
        _refill_by_footprint(sim, cpu, task)


@njit
def _refill_by_footprint(sim: Sim, cpu: int, task: int) -> None:
    t = sim.tasks[task]
    c = sim.cpus[cpu]
    costs = sim.costs[NATIVE]
    others = c.touched - t.left_at if t.warm_cpu == cpu else costs.l1_bytes + costs.l2_bytes
    if t.warm_cpu >= 0:
        from_l2 = _evicted(t.footprint, others, costs.l1_bytes) * costs.l1_per_kib
        from_l3 = _evicted(t.footprint, others, costs.l2_bytes) * costs.l2_per_kib
        charge(sim, cpu, task, O_CACHE, (from_l2 + from_l3) >> 10)
    c.touched += t.footprint
    t.left_at = c.touched
    t.warm_cpu = cpu
