"""Options that several commands share, so that they mean the same everywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracekit.errors import UsageError

if TYPE_CHECKING:
    from tracekit.engine.failure import Crash

Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Where to write; by default a name made from the input's.")
]
Force = Annotated[bool, typer.Option("--force", "-f", help="Replace what an earlier call wrote there.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
OwnSeed = Annotated[
    int | None,
    typer.Option("--seed", min=0, max=2**31 - 1, help="Seed of every random choice; by default the workload's own."),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set a parameter; may be repeated.")
]
Profile = Annotated[str, typer.Option("--profile", help="Cost profile: `reference`, or a TOML file.")]
Process = Annotated[
    str | None, typer.Option("--process", help="Convert this process only: its id or its name in the recording.")
]


class WakeupEvent(StrEnum):
    """Which kernel event makes a task runnable, where a recording has both."""

    waking = "waking"
    wakeup = "wakeup"


Wakeup = Annotated[
    WakeupEvent,
    typer.Option("--wakeup", help="The event that makes a task runnable: `waking` is when the waker asks for it, "
                 "`wakeup` when it is queued."),
]  # fmt: skip


class ArrivalKind(StrEnum):
    """When outside events come in a replay."""

    closed = "closed"
    open = "open"


DEFAULT_MODELS = "process,thread,goroutine"
MAX_CPUS = 4096  # the engine's own limit
Models = Annotated[
    str, typer.Option("--model", "-m", help="Models by name, with commas between; `tracekit models` lists them.")
]
Cpus = Annotated[
    int | None,
    typer.Option("--cpus", "-c", min=1, max=MAX_CPUS, help="CPUs to replay on; by default as many as recorded."),
]
Kernel = Annotated[str | None, typer.Option("--kernel", help="Another kernel policy below every model.")]
Arrivals = Annotated[
    ArrivalKind,
    typer.Option(
        "--arrivals", help="Outside events come `closed`, a time after the task waits, or `open`, when recorded."
    ),
]

Needs = Annotated[
    list[str] | None,
    typer.Option(
        "--need",
        metavar="NEED",
        help="What the verdict has to honour: isolation, crash_containment, shared_memory, os_primitives or not_go; "
        "may be repeated.",
    ),
]
CrashAt = Annotated[
    str | None,
    typer.Option("--crash", metavar="TASK@TIME", help="Let this task (name or id) fault at this time, such as 20ms."),
]


def crash(given: str | None) -> Crash | None:
    """`worker[1]@20ms` → Crash. Raises UsageError."""
    if given is None:
        return None
    from tracekit.engine.failure import Crash
    from tracekit.units import parse_duration_ns

    task, at, time = given.rpartition("@")
    try:
        at_ns = parse_duration_ns(time)
    except ValueError:
        at_ns = -1
    if not at or not task or at_ns < 0:
        raise UsageError(f"--crash {given!r} is not TASK@TIME", remedy="for example worker[1]@20ms or 3@1.5s")
    return Crash(int(task) if task.isdecimal() else task, at_ns)


def settings(given: list[str] | None) -> dict[str, str]:
    """`["a=1"]` → `{"a": "1"}`. Raises UsageError."""
    pairs = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {text!r} is not NAME=VALUE")
        pairs[name.strip()] = value.strip()
    return pairs
