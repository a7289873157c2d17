"""What a switch, a fork and a wakeup cost, and whom: each figure by itself, on a machine where all else is free."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from tests.programs import Steps, free_profile, program
from tests.unit.pictures import MS, compute, computing, free, sleep
from tracekit.tables.bundle import Program, Run


def charged(run: Run, kind: str) -> list[int]:
    """The overheads of a kind in the order in which they were charged."""
    return run.frame("overheads").filter(pl.col("kind").cast(pl.String) == kind)["duration_ns"].to_list()


def turns(count: int, rounds: int = 3) -> dict[str, Steps]:
    """Tasks that run one after another, `rounds` times."""
    return {f"t{i}": [compute(1), *[("yield",), compute(1)] * (rounds - 1)] for i in range(count)}


def kernel_task(work: Program, task: int) -> Program:
    """The program with one task made a thread of the kernel, which has no address space."""
    table = work.tables["tasks"]
    for name, value, other in (("kind", "kernel", None), ("converted", False, True)):
        i = table.column_names.index(name)
        values = [value if row == task else other for row in range(table.num_rows)]
        table = table.set_column(i, name, pa.array(values, pa.string() if name == "kind" else pa.bool_()).cast(
            table.schema.field(name).type))  # fmt: skip
    return Program({**work.tables, "tasks": table}, work.meta)


SPACES = free_profile(address_space_ns=1000, tlb_refill_ns=500)


def test_six_address_spaces_keep_their_tlb_entries() -> None:
    # choose_new_asid (arch/x86/mm/tlb.c), TLB_NR_DYN_ASIDS 6: each is flushed once, at its first switch
    costs = charged(free(program(turns(6)), "process", kernel="fifo", profile=SPACES), "address_space")
    assert costs == [1500] * 5 + [1000] * 12


def test_a_seventh_address_space_has_each_switch_flush() -> None:
    # six ASIDs are given out in turn, so each of seven finds its own taken
    costs = charged(free(program(turns(7)), "process", kernel="fifo", profile=SPACES), "address_space")
    assert costs == [1500] * 20


def test_threads_do_not_change_the_address_space() -> None:
    assert charged(free(program(turns(7)), kernel="fifo", profile=SPACES), "address_space") == []


def test_kernel_threads_keep_the_mapping_they_find() -> None:
    # enter_lazy_tlb: p, k, p, k ... is free, p, q, p, q ... is not
    work = program(turns(2))
    assert charged(free(kernel_task(work, 1), "process", kernel="fifo", profile=SPACES), "address_space") == []
    assert charged(free(work, "process", kernel="fifo", profile=SPACES), "address_space") == [
        1500,
        1000,
        1000,
        1000,
        1000,
    ]


PARENT = {"p": [("stack", 2 << 20), ("spawn", "c"), compute(1)], "c": [compute(1)]}


def test_fork_copies_page_tables_by_resident_size() -> None:
    # copy_page_range (mm/memory.c): what p has touched of its stack, at so much a MiB
    profile = free_profile(fork_ns_per_mib=20_000)
    assert charged(free(program(PARENT), "process", profile=profile), "spawn") == [20_000 * 2]
    assert charged(free(program(PARENT), "thread", profile=profile), "spawn") == []


def test_a_forked_child_copies_pages_when_it_first_runs() -> None:
    # do_wp_page (mm/memory.c): once, and only by who has a parent
    profile = free_profile(cow_pages=20, cow_fault_ns=750)
    run = free(program(PARENT), "process", profile=profile)
    assert charged(run, "spawn") == [20 * 750]
    assert run.frame("overheads")["task_id"].to_list() == [1]
    assert charged(free(program(PARENT), "thread", profile=profile), "spawn") == []


CACHES = free_profile(
    l1_bytes=32 << 10, l2_bytes=1 << 20, l1_refill_ns_per_kib=30, l2_refill_ns_per_kib=130, cache_refill_ns=2000
)
FOOTPRINTS = {"t0": 24 << 10, "t1": 24 << 10}


def test_footprints_push_each_other_out_of_l1() -> None:
    # 24 and 24 KiB in 32: 16 KiB of each are gone when it comes back, and still in L2
    work = program(turns(2), footprint_bytes=FOOTPRINTS)
    run = free(work, kernel="fifo", profile=CACHES, parameters={"thread.cache_model": 2})
    assert charged(run, "cache_refill") == [16 * 30] * 4


def test_footprints_that_fit_cost_nothing() -> None:
    work = program(turns(2), footprint_bytes={"t0": 12 << 10, "t1": 12 << 10})
    run = free(work, kernel="fifo", profile=CACHES, parameters={"thread.cache_model": 2})
    assert charged(run, "cache_refill") == []


def migrating(model: int) -> list[int]:
    """a runs 4 ms on CPU 0 and goes on on CPU 1 after 8 ms."""
    work = program({"a": [compute(8)], "b": [compute(4.2)], "c": [compute(8)]}, footprint_bytes={"a": 24 << 10})
    return charged(free(work, cpus=2, profile=CACHES, parameters={"thread.cache_model": model}), "cache_refill")


def test_on_another_cpu_both_caches_are_cold() -> None:
    assert migrating(2) == [24 * 30 + 24 * 130]


def test_a_migration_costs_one_figure_or_nothing() -> None:
    assert migrating(1) == [2000]
    assert migrating(0) == []


def test_an_idle_exit_is_apart_from_the_switch() -> None:
    # a timer fires on the CPU that armed it; another CPU sends an interrupt, which costs more
    profile = free_profile(idle_exit_ns=20_000, timer_exit_ns=7_000, thread_switch_ns=1_300)
    alone = free(program({"a": [sleep(1), compute(1)]}), profile=profile)
    assert charged(alone, "idle_exit")[1:] == [7_000]
    assert charged(alone, "switch") == [1_300, 1_300]
    assert alone.meta["end_ns"] == 20_000 + 1_300 + MS + 7_000 + 1_300 + MS

    work = program(
        {"a": [compute(2), ("signal", "e"), compute(1)], "r": [("wait", "e"), compute(1)]}, {"e": ("event", None)}
    )
    assert charged(free(work, cpus=2, profile=profile), "idle_exit") == [20_000] * 3


def test_ticks_take_their_share_of_computing() -> None:
    # 2 us of each 4 ms that a task computes
    assert sum(charged(free(computing(a=400), profile=free_profile(tick_ns=2_000)), "tick")) == 100 * 2_000


def test_messages_between_processes_are_copied() -> None:
    # pipe_write and pipe_read (fs/pipe.c): into the kernel and out of it
    work = program({"s": [("send", "c", 4096)], "r": [("recv", "c"), compute(1)]}, {"c": ("channel", 1)})
    profile = free_profile(copy_ns_per_kib=100)
    assert sum(charged(free(work, "process", profile=profile), "ipc_copy")) == 2 * 4 * 100
    assert charged(free(work, "thread", profile=profile), "ipc_copy") == []


def held(run: Run) -> list[tuple[int, int]]:
    """Resident memory from each time on at which it changes."""
    rows = run.frame("memory").select("at_ns", "resident_bytes").rows()
    return [row for before, row in zip([(0, 0), *rows], rows, strict=False) if row[1] != before[1]]


def test_of_an_ended_process_pages_are_free_at_once_and_page_tables_later() -> None:
    # exit_mmap, and tlb_remove_table_free (mm/mmap.c, mm/mmu_gather.c): page tables wait for a grace period of RCU
    profile = free_profile(process_resident_bytes=100, process_reclaim_bytes=40, process_reclaim_ns=5 * MS)
    work = {"p": [("spawn", "c"), compute(1), ("spawn", "d"), compute(9)], "c": [compute(2)], "d": [compute(2)]}
    before_the_end = [(0, 200), (MS, 300), (2 * MS, 240), (3 * MS, 180), (7 * MS, 140), (8 * MS, 100)]
    assert held(free(program(work), "process", cpus=3, profile=profile)) == [
        *before_the_end,
        (10 * MS, 40),
        (10 * MS, 0),
    ]


def test_pipes_hold_pages_beside_their_processes() -> None:
    # four messages of 4 KiB, and two spare pages (fs/pipe.c); threads hand over pointers
    profile = free_profile(process_resident_bytes=100, thread_resident_bytes=100)
    work = program({"p": [("send", "c", 4096), compute(1)], "q": [("recv", "c"), compute(1)]}, {"c": ("channel", 4)})
    assert max(bytes_ for _, bytes_ in held(free(work, "process", profile=profile))) == 200 + 6 * 4096
    assert max(bytes_ for _, bytes_ in held(free(work, "thread", profile=profile))) == 200


def test_the_first_page_of_a_threads_stack_is_there_and_none_of_a_forked_child() -> None:
    profile = free_profile(page_fault_ns=10)
    work = program({"p": [("stack", 6 << 10), compute(1)]})
    assert charged(free(work, "thread", profile=profile), "stack_growth") == [10]
    assert charged(free(work, "process", profile=profile), "stack_growth") == [20]
