"""A program, a machine and costs become the engine's arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tracekit.engine import failure, variables
from tracekit.engine import state as st
from tracekit.engine.address_space import MOST_READERS
from tracekit.errors import ModelError
from tracekit.tables.bundle import Program
from tracekit.vocabulary import SEGMENTS, TASK_KINDS, Words

BUFFER_ROWS = 1 << 18
FORM_FIELDS = ("switch", "block", "dequeue", "channel_block", "wake", "spawn", "exit", "lock", "channel")
MACHINE_FIELDS = (
    "address_space", "cache_refill", "idle_exit", "resched", "halt", "far_wake", "idle_enter", "idle_wake", "timer_exit", "timer_late", "timer_return", "timer_slack", "timer_arm",
    "timer_interrupt", "syscall", "tick",
    "tick_period",
    "stack_growth", "page_fault", "steal", "tlb_refill", "access", "atomic", "line", "shootdown", "shootdown_answer",
)  # fmt: skip
# What a task's calls find there already. Measured on Linux 6.18, glibc: of a thread's first two pages its control block
# and the frames below the task's take one; a forked child's first frames share a page with its parent's last.
FIRST_STACK_BYTES = {"process": 0, "thread": 4096, "goroutine": 2048}
KERNEL_STACK_BYTES = 16 << 10  # THREAD_SIZE, arch/x86/include/asm/page_64_types.h


def _ints(table: pa.Table, column: str) -> Any:
    return table[column].combine_chunks().fill_null(st.NONE).to_numpy(zero_copy_only=False)


def _codes(table: pa.Table, column: str, words: Words) -> Any:
    """Vocabulary codes of a dictionary column, whatever order its own dictionary has; null is -1."""
    array = table[column].combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    lookup = np.array([words[name] for name in array.dictionary.to_pylist()] + [st.NONE], np.int32)
    return lookup[array.indices.fill_null(len(lookup) - 1).to_numpy(zero_copy_only=False)]


def segments(program: Program) -> tuple[Any, Any]:
    """The segment records in order, and where each task's begin (one more entry than tasks).

    Raises ModelError if they are not sorted by task and ordinal.
    """
    table = program.tables["segments"]
    owner = _ints(table, "task_id")
    if len(owner) and np.any(np.diff(owner) < 0):
        raise ModelError("segments are not sorted by task_id", remedy="sort them by task_id and ordinal")
    out = st.records(max(len(owner), 1), st.SEGMENT)[: len(owner)]
    out.kind[:] = _codes(table, "kind", SEGMENTS)
    for field, column in (
        ("duration", "duration_ns"), ("bytes", "bytes"), ("object", "object_id"), ("target", "target_id"),
        ("count", "count"),
    ):  # fmt: skip
        out[field][:] = _ints(table, column)
    for field in ("duration", "bytes"):
        out[field][:] = np.maximum(out[field], 0)
    starts = np.searchsorted(owner, np.arange(program.tables["tasks"].num_rows + 1))
    return out, starts.astype(np.int32)


def fan_out(segs: Any, starts: Any) -> int:
    """The most tasks that one event can wake: waiters of one wait group or rwmutex, joiners of one task,
    and who uses a channel that is closed."""
    most = 1
    for kinds, field in (((st.S_WG_WAIT, st.S_READ_LOCK), "object"), ((st.S_JOIN,), "target")):
        ids = segs[field][np.isin(segs.kind, kinds)]
        if len(ids):
            most = max(most, int(np.bincount(ids).max()))
    return max(most, closing_wakes(segs, starts))


def closing_wakes(segs: Any, starts: Any) -> int:
    """The most tasks that closing a channel can wake: those that receive from it or send into it."""
    closed = np.unique(segs.object[segs.kind == st.S_CLOSE])
    rows = np.flatnonzero(np.isin(segs.kind, (st.S_RECV, st.S_SEND)) & np.isin(segs.object, closed))
    if not len(rows):
        return 0
    owners = np.searchsorted(starts, rows, side="right") - 1
    pairs = np.unique(np.stack([segs.object[rows], owners], axis=1), axis=0)
    return int(np.bincount(pairs[:, 0]).max())


PIPE_BYTES, MOST_PIPE_BYTES = 4096, 1 << 20  # one page, and fs/pipe.c's pipe_max_size
SPARE_PIPE_PAGES = 2  # of those that were read, for the next writes (fs/pipe.c: tmp_page)


def _pipe_room(program: Program, capacity: Any) -> tuple[Any, Any]:
    """Bytes in each channel's pipe: whole pages, a power of two of them (pipe(7)); and of the channel's longest message."""
    largest = np.ones(len(capacity), np.int64)
    item, size = _ints(program.tables["segments"], "object_id"), _ints(program.tables["segments"], "bytes")
    np.maximum.at(largest, item[item >= 0], size[item >= 0])
    wanted = np.clip(capacity * largest, PIPE_BYTES, MOST_PIPE_BYTES)
    return 2 ** np.ceil(np.log2(wanted)).astype(np.int64), largest


def pipe_pages(program: Program, capacity: Any) -> tuple[Any, Any]:
    """How many messages each pipe's pages hold together (pages, or the shares of pages that one message takes), and each
    of them: a message is as long as the channel's longest."""
    room, largest = _pipe_room(program, capacity)
    return np.maximum(room // PIPE_BYTES // -(-largest // PIPE_BYTES), 1), np.maximum(PIPE_BYTES // largest, 1)


def pipe_memory(program: Program) -> int:
    """Bytes that the program's channels hold as pipes, when they are full: in the model all the time, as one reader that
    is slower than its writer fills its pipe."""
    from tracekit.vocabulary import OBJECT_KINDS

    table = program.tables["objects"]
    room, _ = _pipe_room(program, np.maximum(_ints(table, "capacity"), 0))
    channels = _codes(table, "kind", OBJECT_KINDS) == OBJECT_KINDS["channel"]
    return int((room[channels] + SPARE_PIPE_PAGES * PIPE_BYTES).sum())


def objects(program: Program, own_space: bool, least: int) -> Any:
    """Object records; a semaphore starts with its capacity, and between address spaces a channel is a pipe, with room for
    `least` messages or more."""
    from tracekit.vocabulary import OBJECT_KINDS

    table = program.tables["objects"]
    out = st.records(table.num_rows, st.OBJECT)
    out.kind[:] = _codes(table, "kind", OBJECT_KINDS)
    out.capacity[:] = np.maximum(_ints(table, "capacity"), 0)
    if own_space:
        pipe = out.kind == OBJECT_KINDS["channel"]
        pages, each = pipe_pages(program, np.maximum(out.capacity, least).astype(np.int64))
        out.most_pages[pipe], out.per_page[pipe] = pages[pipe], each[pipe]
    out["count"][:] = np.where(out.kind == st.K_SEMAPHORE, out.capacity, 0)
    for field in ("holder", "head", "tail", "send_head", "send_tail", "cpu"):
        out[field][:] = st.NONE
    return out


def costs(values: Mapping[str, int], form: str) -> Any:
    """Two rows: what native tasks and kernel threads pay, and what the runtime's hosted tasks pay."""
    out = st.records(2, st.COST)
    native = "thread" if form == "goroutine" else form
    for row, name in ((st.NATIVE, native), (st.HOSTED, "goroutine")):
        for field in FORM_FIELDS:
            out[field][row] = values[f"{name}_{field}_ns"]
        out.yield_[row] = values[f"{name}_yield_ns"]
        out.resident[row] = values[f"{name}_resident_bytes"]
        out.virtual[row] = values[f"{name}_virtual_bytes"]
        out.stack[row] = FIRST_STACK_BYTES[name]
        out.copy_per_kib[row] = values["copy_ns_per_kib"] if name == "process" else 0
        for field in MACHINE_FIELDS:
            out[field][row] = values[f"{field}_ns"]
        out.stack_copy_per_kib[row] = values["stack_copy_ns_per_kib"]
        out.handoff[row] = values["thread_handoff_ns"]
        out.reclaim[row] = values[f"{native}_reclaim_ns"]
        out.map[row] = values["thread_map_ns"]
        out.advise[row] = values["thread_advise_ns"]
        out.unmap[row] = values["thread_unmap_ns"]
        out.kept[row] = values[f"{native}_reclaim_bytes"]
        out.spin[row] = values["goroutine_spin_ns"]
        out.new_g[row] = values["goroutine_new_ns"]
        if native == "process":
            out.touched[row] = max(out.resident[row] - out.kept[row] - KERNEL_STACK_BYTES, 0)
            out.cow[row] = values["cow_pages"] * values["cow_fault_ns"]
            out.fork_per_mib[row] = values["fork_ns_per_mib"]
        else:
            out.cow[row] = values["thread_first_ns"]
        for level in ("l1", "l2"):
            out[f"{level}_bytes"][row] = values[f"{level}_bytes"]
            out[f"{level}_per_kib"][row] = values[f"{level}_refill_ns_per_kib"]
        out.thread_wake[row] = values["thread_wake_ns"]
        out.thread_spawn[row] = values["thread_spawn_ns"]
        out.thread_resident[row] = values["thread_resident_bytes"]
        out.thread_virtual[row] = values["thread_virtual_bytes"]
    out.timer_slack[st.HOSTED] = 0  # the runtime keeps its own timers
    out.page_fault[st.HOSTED] = 0  # counted with the copying
    return out


def tasks(program: Program, starts: Any, hosted: bool) -> Any:
    """Task records; converted tasks are hosted where the runtime hosts them."""
    table = program.tables["tasks"]
    out = st.records(table.num_rows, st.TASK)
    out.pc[:] = starts[:-1]
    out.end[:] = starts[1:]
    out.converted[:] = table["converted"].combine_chunks().to_numpy(zero_copy_only=False)
    out.layer[:] = np.where(out.converted & hosted, st.HOSTED, st.NATIVE)
    for field in ("thread", "cpu", "next", "joiners", "parent", "space", "waits_on", "reason", "warm_cpu", "timer_cpu"):
        out[field][:] = st.NONE
    out.state[:] = st.NEW
    out.start[:] = _ints(table, "start_ns")  # until it starts: when it starts by itself; -1: a spawn starts it
    for field in ("since", "ended"):
        out[field][:] = st.NONE
    return out


def spaces(program: Program, converted: Any, own_space: bool) -> Any:
    """The address space of each task: an id of its own, the shared one (0), or for the others their process's; -1 for
    kernel threads, which have none."""
    table = program.tables["tasks"]
    ids = np.arange(len(converted), dtype=np.int32) + 1
    process = _ints(table, "process_id")
    theirs = np.where(process >= 0, process + 1, ids)
    theirs = np.where(_codes(table, "kind", TASK_KINDS) == TASK_KINDS["kernel"], st.NONE, theirs)
    return np.where(converted, ids if own_space else 0, theirs)


# sched_prio_to_weight, kernel/sched/core.c: 1024 at nice 0, and about 1.25 times as much with each step down
WEIGHTS = (
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501,
    1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
)  # fmt: skip


def weights(program: Program) -> Any:
    """The weight of each task by its nice value; 0 where the program says nothing. Raises ModelError."""
    table = program.tables["tasks"]
    if "nice" not in table.column_names:
        return np.full(table.num_rows, 1024, np.int32)
    nice = table["nice"].combine_chunks().fill_null(0).to_numpy(zero_copy_only=False)
    if len(nice) and not -20 <= nice.min() <= nice.max() <= 19:
        raise ModelError("a task's nice value is outside -20 to 19")
    return np.array(WEIGHTS, np.int32)[nice + 20]


def machine_rules(sim: st.Sim, values: Mapping[str, int]) -> None:
    """What the policy's parameters say of ticks and bandwidth, into the engine's state."""
    world = sim.world
    world.tick_phase[:] = values.get("tick_phase_ns", 0)
    if values.get("skew_tick"):
        world.tick_skew[:] = int(sim.costs.tick_period[st.NATIVE]) // 2 // len(sim.cpus)
    world.quota[:] = values.get("quota_ns", 0)
    world.period[:] = values.get("period_ns", 0)
    world.bandwidth_slice[:] = values.get("bandwidth_slice_ns", 0)


def footprints(sim: st.Sim, program: Program, default_bytes: int) -> None:
    """How much memory each task touches while it runs: what the program says, or the default."""
    table = program.tables["tasks"]
    sim.tasks.footprint[:] = default_bytes
    if "footprint_bytes" in table.column_names:
        given = _ints(table, "footprint_bytes")
        sim.tasks.footprint[:] = np.where(given >= 0, given, default_bytes)


def new_sim(
    program: Program,
    *,
    cpus: int,
    cost_rows: Any,
    hosted: bool,
    own_space: bool,
    own_threads: int,
    seed: int,
    crashes: bool = False,
    min_capacity: int = 0,
) -> tuple[st.Sim, Any, int]:
    """The engine's state at time 0, where each task's segments begin, and the fan-out bound. Raises ModelError for a program without tasks."""
    if program.tables["tasks"].num_rows == 0:
        raise ModelError("the program has no tasks")
    segs, starts = segments(program)
    task_rows = tasks(program, starts, hosted)
    counting = own_space and (crashes or bool(np.isin(segs.kind, (st.S_CRASH, st.S_CLOSE)).any()))
    most = max(fan_out(segs, starts), len(task_rows) if counting else 0, min(len(task_rows), MOST_READERS))
    thread_rows = _threads(task_rows, spaces(program, task_rows.converted, own_space), own_threads)
    thread_rows.weight[: np.count_nonzero(task_rows.layer == st.NATIVE)] = weights(program)[
        task_rows.layer == st.NATIVE
    ]
    cpu_rows = st.records(cpus, st.CPU)
    cpu_rows.thread[:] = st.NONE
    cpu_rows.last_space[:] = st.NONE
    cpu_rows.idle[:] = st.IDLE
    cpu_rows.idle_since[:] = -st.TIME_LIMIT_NS
    world = st.records(1, st.WORLD)
    world.idle_cpus[:] = cpus
    world.current_cpu[:] = st.NONE
    world.random[:] = seed & 0x7FFFFFFF
    world.live[:] = len(task_rows)
    world.min_capacity[:] = min_capacity
    world.live_converted[:] = int(np.count_nonzero(task_rows.converted))
    world.crash_task[:] = st.NONE
    world.freed_head[:] = st.NONE
    task_rows.joined[segs.target[segs.kind == st.S_JOIN]] = 1
    world.mm_writer[:] = st.NONE
    world.mm_writers[:] = st.NONE
    world.mm_waiting_readers[:] = st.NONE
    world.cache_holder[:] = st.NONE
    world.cache_waiters[:] = st.NONE
    slots = 2 * cpus + st.RUNTIME_SLOTS + 2 + len(task_rows) + len(thread_rows)
    rows = BUFFER_ROWS + 64 + 8 * most
    sim = st.Sim(
        world, task_rows, thread_rows, cpu_rows, segs, objects(program, own_space, min_capacity), cost_rows,
        st.records(slots, st.EVENT), np.full(slots, st.NONE, np.int32), np.full(st.ASIDS * cpus, st.NONE, np.int32),
        *(st.records(rows, dtype) for dtype in (st.INTERVAL, st.WAKEUP_ROW, st.OVERHEAD_ROW, st.MEMORY_ROW,
                                                st.OPERATION_ROW)),
        *variables.room(program, own_space),
        *failure.pipe_ends(program, segs, starts, counting),
    )  # fmt: skip
    variables.prepare(sim, own_space)
    failure.prepare(sim, counting)
    return sim, starts, most


def _threads(task_rows: Any, space: Any, own_threads: int) -> Any:
    native = np.flatnonzero(task_rows.layer == st.NATIVE)
    out = st.records(len(native) + own_threads, st.THREAD)
    for field in ("task", "cpu", "queue"):
        out[field][:] = st.NONE
    out.task[: len(native)] = native
    out.space[: len(native)] = space[native]
    out.space[len(native) :] = 0
    out.weight[:] = 1024
    task_rows.thread[native] = np.arange(len(native))
    return out
