"""The hooks of a model, and how they bind into compiled code.

A policy's state is a `Handle` class of its own (engine/handles.py). A hook is a function with a default; `@implements(hook,
State)` files a policy's version under (hook, State). While numba compiles, one `overload` per hook picks
the version by the type of the first argument; without the JIT the same table is looked up at
run time. The names are those of Linux's sched_ext where it has one (Documentation/scheduler/sched-ext.rst).

Arguments, the same everywhere:
  kernel   the kernel policy's state
  runtime  the runtime's state
  sim      the engine's state (engine/state.py); policies may read all of it, and own only their own state
  cpu, thread, task   indices; -1 is none
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from tracekit.jit import JIT, njit
from tracekit.vocabulary import REASONS

F = TypeVar("F", bound=Callable[..., Any])

_R_IO, _R_SYSCALL = REASONS["io"], REASONS["syscall"]
_TABLE: dict[tuple[str, type], Callable[..., Any]] = {}


def implements(hook: Callable[..., Any], state: type) -> Callable[[F], F]:
    """File the decorated function as `hook` for policies whose state is `state`; one of another policy will do, if its
    state has the fields that the function uses."""

    def register(function: F) -> F:
        compiled: F = njit(getattr(function, "py_func", function))
        _TABLE[(hook.__name__, state)] = compiled
        return compiled

    return register


def _hook(default: F) -> F:
    name = default.__name__
    compiled_default = njit(default)

    def dispatch(policy: Any, *args: Any) -> Any:
        return _TABLE.get((name, type(policy)), compiled_default)(policy, *args)

    dispatch.__name__ = name
    dispatch.__doc__ = default.__doc__
    if JIT:
        _overload(dispatch, default, compiled_default, name)
    return dispatch  # type: ignore[return-value]


def _overload(dispatch: Callable[..., Any], default: Callable[..., Any], compiled: Any, name: str) -> None:
    from numba.extending import overload

    from tracekit.engine.handles import HandleType

    def choose(policy: Any) -> Any:
        if not isinstance(policy, HandleType):
            return None
        chosen = _TABLE.get((name, policy.instance_class), compiled)
        return getattr(chosen, "py_func", chosen)

    # numba wants the chooser to have the hook's own parameter names
    parameters = list(inspect.signature(default).parameters)
    scope = {"choose": choose}
    exec(f"def chooser({', '.join(parameters)}):\n    return choose({parameters[0]})", scope)
    options = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    overload(dispatch, jit_options=options, strict=False)(scope["chooser"])


# Why a thread enters a run queue (`enqueue`), or a task goes back to one (`requeue`).
WAKEUP, SPAWN, PREEMPTED, YIELD, MIGRATED, GIVE_WAY = 0, 1, 2, 3, 4, 5
# What next_task may answer instead of a task.
PARK, AGAIN, YIELD_THREAD = -1, -2, -4


# ---- kernel policy: how kernel threads share CPUs ----------------------------------------------------------


@_hook
def select_cpu(kernel: Any, sim: Any, thread: int, waker_cpu: int) -> int:
    """The CPU whose queue a waking thread joins; waker_cpu is -1 for a timer."""
    return sim.threads[thread].cpu


@_hook
def enqueue(kernel: Any, sim: Any, cpu: int, thread: int, why: int) -> None:
    """The thread is runnable and joins cpu's queue; why is WAKEUP, SPAWN, PREEMPTED, YIELD or MIGRATED."""


@_hook
def pick_next(kernel: Any, sim: Any, cpu: int) -> int:
    """Take the thread to run next out of cpu's queue; -1 when the queue is empty."""
    return -1


@_hook
def balance(kernel: Any, sim: Any, cpu: int) -> int:
    """The CPU goes idle: take a thread out of another CPU's queue, or -1."""
    return -1


@_hook
def rebalance(kernel: Any, sim: Any, cpu: int) -> tuple[int, int]:
    """At a tick with others waiting: take a thread out of cpu's queue for another CPU, and name both; or -1, -1."""
    return -1, -1


@_hook
def lingers(kernel: Any, sim: Any, cpu: int) -> bool:
    """Whether cpu's queue holds threads that sleep, so that its ticks can change something though nobody waits."""
    return False


@_hook
def running(kernel: Any, sim: Any, cpu: int, thread: int) -> None:
    """The thread starts to run on cpu."""


@_hook
def stopping(kernel: Any, sim: Any, cpu: int, thread: int, ran_ns: int) -> None:
    """Account ran_ns of the running thread; called before each decision, and when it leaves the CPU."""


@_hook
def preempts(kernel: Any, sim: Any, cpu: int, thread: int) -> bool:
    """Whether the thread just queued on cpu should take it from the running one at once."""
    return False


@_hook
def time_slice(kernel: Any, sim: Any, cpu: int, thread: int) -> int:
    """The longest the thread may run while others wait, in ns."""
    return 1 << 62


@_hook
def tick(kernel: Any, sim: Any, cpu: int) -> bool:
    """At a timer tick with others waiting: whether the running thread must leave. Default: its time slice is over."""
    c = sim.cpus[cpu]
    return sim.world[0].now - c.slice_start >= time_slice(kernel, sim, cpu, c.thread)


@_hook
def blocking(kernel: Any, sim: Any, cpu: int, thread: int) -> None:
    """The running thread goes to sleep."""


# ---- runtime: how tasks sit on kernel threads -----------------------------------------------------------------


@_hook
def begin(runtime: Any, kernel: Any, sim: Any) -> None:
    """Once, before the first event."""


@_hook
def ready(runtime: Any, kernel: Any, sim: Any, task: int, cpu: int) -> None:
    """A task of the runtime became runnable on cpu (-1: by a timer)."""


@_hook
def next_task(runtime: Any, kernel: Any, sim: Any, cpu: int, thread: int) -> int:
    """The thread needs a task: which one, or PARK (the thread blocks), AGAIN (time was charged; ask again), or
    YIELD_THREAD (the thread lets others of its CPU run, and asks again)."""
    return -1


@_hook
def parking(runtime: Any, kernel: Any, sim: Any, cpu: int, task: int) -> None:
    """The running task parks in user space; its thread goes on without it."""


@_hook
def entering(runtime: Any, kernel: Any, sim: Any, cpu: int, task: int) -> None:
    """The task's kernel thread blocks in the kernel together with its task."""


@_hook
def blocks_thread(runtime: Any, sim: Any, task: int) -> bool:
    """Whether the kernel thread blocks together with the hosted task that begins to wait: by default in system calls
    and file I/O, which no poller can wait for (Go: internal/poll, regular files)."""
    return sim.tasks[task].waiting == _R_IO or sim.tasks[task].waiting == _R_SYSCALL


@_hook
def returning(runtime: Any, kernel: Any, sim: Any, cpu: int, task: int) -> bool:
    """The thread runs again after `entering`: whether it may go on with its task; if not, the task was queued."""
    return True


@_hook
def requeue(runtime: Any, kernel: Any, sim: Any, cpu: int, task: int, why: int) -> None:
    """The running task goes back to a queue; why is PREEMPTED, YIELD, or GIVE_WAY to whom it handed a lock."""


@_hook
def keeps_timer(runtime: Any, sim: Any, task: int, due_ns: int) -> bool:
    """A hosted task is about to sleep until due_ns: whether the runtime watches for that itself, and moves the task's
    `pc` on when it is over; if not, the engine calls `expired`."""
    return False


@_hook
def spins(runtime: Any, sim: Any, cpu: int) -> int:
    """How long the hosted task on cpu, which found a mutex taken, spins before it looks again, in ns; 0: it waits."""
    return 0


@_hook
def creating(runtime: Any, sim: Any, cpu: int) -> int:
    """A hosted task is created on cpu: what that takes beyond the usual, in ns."""
    return 0


@_hook
def ended(runtime: Any, sim: Any, cpu: int) -> None:
    """The hosted task on cpu has ended."""


@_hook
def expired(runtime: Any, kernel: Any, sim: Any, task: int, network: bool) -> None:
    """A sleep (or, with network, a network wait) of a parked task is over; make it `ready` in the runtime's own time."""


@_hook
def alarm(runtime: Any, kernel: Any, sim: Any, slot: int) -> None:
    """An event that the runtime armed for itself (slot 0 to RUNTIME_SLOTS - 1) is due."""
