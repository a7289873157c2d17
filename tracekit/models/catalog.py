"""The models there are: built in, from entry points (`tracekit.models`), and by import path (`module:MODEL`)."""

from __future__ import annotations

import difflib
import importlib
from importlib.metadata import entry_points

from tracekit.errors import UsageError
from tracekit.models.kernels import cfs, eevdf, fifo, round_robin
from tracekit.models.model import KernelPolicy, Model, Parameter
from tracekit.models.runtimes import event_loop, go, one_to_one, thread_pool

RECORDED = "recorded"  # not a model of the engine: the recording itself, see engine/recorded.py

_MIN_CAPACITY = Parameter(
    "min_capacity",
    1,
    "count",
    "messages that every channel holds at least: a pipe or a queue always has room for one",
    0,
)

_CACHES = (
    Parameter("cache_model", 1, "count", "cold caches: 0 free, 1 cache_refill_ns a migration, 2 by footprints", 0, 2),
    Parameter("footprint_bytes", 0, "bytes", "memory a task uses again and again; 0: the profile's figure"),
)

PROCESS = Model(
    name="process",
    title="each task is a process",
    form="process",
    runtime=one_to_one.RUNTIME,
    kernel=eevdf.POLICY,
    own_space=True,
    isolation="own address space: a crash takes one task; data crosses by copying; stray writes are not seen by others",
    parameters=(_MIN_CAPACITY, *_CACHES),
    doc="Every task has an address space of its own: a switch between two tasks changes the memory mapping, a message"
    " is copied into the kernel and out of it, a spawn is fork and wait.",
)
THREAD = Model(
    name="thread",
    title="each task is a kernel thread of one process",
    form="thread",
    runtime=one_to_one.RUNTIME,
    kernel=eevdf.POLICY,
    own_space=False,
    isolation="shared address space: a crash takes the process; data is shared; races are possible",
    parameters=(_MIN_CAPACITY, *_CACHES),
    doc="All tasks share one address space: no mapping changes between them and messages are not copied, but every"
    " wait and wakeup goes through the kernel, and each task has a kernel stack and a reserved user stack.",
)
GOROUTINE = Model(
    name="goroutine",
    title="each task is a goroutine",
    form="goroutine",
    runtime=go.RUNTIME,
    kernel=eevdf.POLICY,
    own_space=False,
    isolation="shared address space: a crash takes the process; data is shared; races are possible",
    parameters=(
        Parameter("min_capacity", 0, "count", "messages that every channel holds at least", 0),
        Parameter(
            "lock_handoff_ns", 1_000_000, "ns", "a waiter that waited this long gets the lock (starvation mode)", 0
        ),
        *_CACHES,
    ),
    doc="The Go runtime switches tasks in user space on a few kernel threads, which the kernel policy schedules.",
)

EVENT_LOOP = Model(
    name="event_loop",
    title="each task is a coroutine of one event loop",
    form="thread",
    runtime=event_loop.RUNTIME,
    kernel=eevdf.POLICY,
    own_space=False,
    isolation="one thread: a crash, or a task that computes on and on, takes all; data is shared; a task is interrupted"
    " only where it waits",
    parameters=(_MIN_CAPACITY, *_CACHES),
    doc="One kernel thread runs all tasks in turns, whatever the number of CPUs; calls that block go to a pool.",
)
THREAD_POOL = Model(
    name="thread_pool",
    title="each task is a job of a thread pool",
    form="thread",
    runtime=thread_pool.RUNTIME,
    kernel=eevdf.POLICY,
    own_space=False,
    isolation="shared address space: a crash takes the process; data is shared; races are possible; jobs that wait for"
    " queued jobs can use up the workers",
    parameters=(_MIN_CAPACITY, *_CACHES),
    doc="A fixed number of kernel threads runs the tasks, each to its end, in the order in which they were submitted.",
)

MODELS: dict[str, Model] = {model.name: model for model in (PROCESS, THREAD, GOROUTINE, EVENT_LOOP, THREAD_POOL)}
KERNELS: dict[str, KernelPolicy] = {
    policy.name: policy for policy in (eevdf.POLICY, cfs.POLICY, fifo.POLICY, round_robin.POLICY)
}


def catalog() -> dict[str, Model]:
    """Every model by name: the built-in ones and those of installed packages. Raises UsageError for a broken one."""
    found = dict(MODELS)
    for entry in entry_points(group="tracekit.models"):
        found[entry.name] = _load(entry.value)
    return found


def _load(path: str) -> Model:
    module, _, attribute = path.partition(":")
    try:
        model = getattr(importlib.import_module(module), attribute or "MODEL")
    except (ImportError, AttributeError) as error:
        remedy = f"set PYTHONPATH to the folder that has {module.partition('.')[0]}"
        raise UsageError(f"can't load the model {path}: {error}", remedy=remedy) from None
    if not isinstance(model, Model):
        raise UsageError(f"{path} is not a tracekit Model", remedy="see 'Adding to it' in the README")
    return model


def find_model(name: str) -> Model:
    """A model by name, or by import path `package.module:MODEL`. Raises UsageError with the nearest name."""
    if ":" in name:
        return _load(name)
    known = catalog()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, [*known, RECORDED], 1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join([*known, RECORDED])}"
    raise UsageError(f"no model {name}", remedy=hint)


def find_kernel(name: str) -> KernelPolicy:
    """A kernel policy by name. Raises UsageError."""
    if name not in KERNELS:
        raise UsageError(f"no kernel policy {name}", remedy=f"known: {', '.join(KERNELS)}")
    return KERNELS[name]
