"""Trace or run → program: the schedule taken out, the dependencies kept.

The rules, for a trace:

* Time on a CPU is compute. Preemption does not split it, time in run queues is dropped. Where a recording tells that
  a task gave its CPU up, that becomes a `yield`: in Go's it is a moment at which the scheduler chose anew.
* A wait (BLOCKED) that another task's wakeup ended becomes `wait` on an event of its own; the `signal` stands in
  the waking task at the compute it had reached. A wait that a timer, an interrupt or nothing recorded ended becomes
  `sleep`, `io`, `network` or `syscall` by its reason, and lasts as long as recorded. Without a reason (a kernel's
  recording without callchains or system calls tells few) it is `network`: something outside the program
  ends it.
* A wait that was over before the task had left its CPU, and the first wakeup of a task not seen before, become
  `wait` too: in another schedule they can take time.
* A Go system call of less than 20 µs that kept its P is compute.
* A task created within the recording becomes a `spawn` in its parent; others start when they were first seen.
  A parent's wait for the last wakeup of a child that ends at once becomes `join`.
* A wait in which the recording ends is dropped; time in an UNKNOWN state is treated as a wait.
* With costs, what the recorded form and its recorder added is taken out of compute, never below zero, and the recorder's
  own tasks are left out.
* What a form runs for itself is left out: goroutines of Go's runtime that wake by the clock, and in a joined trace the
  threads under goroutines. The time that all these had CPUs is `others` in `removed_ns`.
* Tasks outside the program keep all this, but are not converted: they stay kernel threads that compete.

A run of the engine with operations says exactly what its program was, and gives it back (see `exact`).
"""

from __future__ import annotations

from collections.abc import Sequence

from tracekit.errors import UsageError
from tracekit.machine.profile import FormCosts
from tracekit.tables.bundle import Program, Run, Trace

ARRIVALS = ("closed", "open")


def extract(
    bundle: Trace | Run,
    *,
    costs: FormCosts | None = None,
    process: int | str | Sequence[int | str] | None = None,
    arrivals: str = "closed",
) -> Program:
    """The program behind a recording or a run.

    `costs` are those of the form it was recorded in; None takes nothing out. `process` names one or more processes
    to convert, by name or id; by default those that the recorder started, or all (see `select`). `arrivals` says
    what becomes of a wait for the network, or of no recorded reason, that no task ended: `closed`, it lasts as long
    as recorded; `open`, it ends at the recorded time. A run with operations takes none of these: its program is
    given back as it was. meta has `coverage`, `removed_ns` by kind, and each rule's count in `policies`.
    Raises UsageError for an unknown process or kind of arrivals.
    """
    from tracekit.program.extract.exact import from_operations
    from tracekit.program.extract.recording import from_recording

    if arrivals not in ARRIVALS:
        raise UsageError(f"unknown arrivals {arrivals!r}", remedy=f"known: {', '.join(ARRIVALS)}")
    if isinstance(bundle, Run) and bundle.tables["operations"].num_rows:
        return from_operations(bundle)
    wanted = [process] if isinstance(process, int | str) else process
    return from_recording(bundle, costs, wanted, arrivals == "open")
