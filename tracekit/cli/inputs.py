"""What a user hands over: a recording, a bundle, a workload file or a scenario's name. Told apart by content."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tracekit.cli.progress import progress
from tracekit.errors import StoreError, UsageError
from tracekit.program.rt_app import is_rt_app
from tracekit.tables.bundle import Bundle, Program, Run, Trace
from tracekit.tables.store import is_bundle, is_collection, load, load_all
from tracekit.vocabulary import FORMS

if TYPE_CHECKING:
    from tracekit.sources.base import Sink

WORKLOAD_SUFFIX = ".toml"
STDIN, STDIN_NAME = Path("-"), "standard input"


@dataclass(frozen=True)
class Work:
    """Something to replay, under the name that outputs are called by."""

    name: str
    given: Trace | Program


@dataclass
class Reportable:
    """What bundles say together: runs, and the trace and program they come from, where given."""

    runs: list[Run] = field(default_factory=list)
    trace: Trace | None = None
    program: Program | None = None


def recording(path: Path, wakeup: str = "waking") -> Trace:
    """Read a recording, with progress on a terminal. Raises SourceError."""
    return recordings([path], wakeup)


def recordings(paths: Sequence[Path], wakeup: str, sink: Sink | None = None) -> Trace:
    """Read a recording, or several files of one run, with progress; the rows go to `sink` where there is one.

    The path `-` is standard input. Raises SourceError, and UsageError for `-` among others.
    """
    from tracekit.sources.base import ReadOptions
    from tracekit.sources.registry import ingest, ingest_pipe

    piped = STDIN in paths
    if piped and len(paths) > 1:
        raise UsageError("standard input is a whole recording", remedy="give `-` alone, or files")
    label = STDIN_NAME if piped else paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    with progress(f"reading {label}", in_bytes=True) as line:
        chosen = ReadOptions(wakeup=wakeup, progress=line, sink=sink)
        return ingest_pipe(sys.stdin.buffer, STDIN_NAME, chosen) if piped else ingest(paths, chosen)


def any_bundle(path: Path, wakeup: str = "waking") -> Bundle:
    """A bundle as it is, or a recording read on the fly. Raises UsageError for a folder of bundles."""
    if is_collection(path):
        names = ", ".join(sorted(bundle.name for bundle in path.iterdir()))
        raise UsageError("a folder of bundles", where=str(path), remedy=f"give one of them: {names}")
    return load(path) if is_bundle(path) else recording(path, wakeup)


def workload(text: str, seed: int | None = None, parameters: dict[str, str] | None = None) -> Program:
    """The program of a workload file or, where no such file is, of a scenario. Raises WorkloadError, UsageError."""
    from tracekit import api

    return api.synth(text, seed=seed, parameters=parameters)


def work(text: str, *, wakeup: str = "waking", seed: int | None = None) -> Work:
    """Whatever can be replayed. Raises the error of what it looks most like."""
    path = Path(text)
    if is_bundle(path) or is_collection(path):
        bundle = load(path) if is_bundle(path) else _replayed(path)
        if not isinstance(bundle, Trace | Program):
            raise UsageError(
                "a run is a replay's result", where=text, remedy="give the trace or program it was made from"
            )
        return Work(path.name.split(".")[0], bundle)
    if path.suffix == WORKLOAD_SUFFIX or not path.exists() or is_rt_app(path):
        program = workload(text, seed)
        return Work(str(program.meta.get("name") or path.name.split(".")[0]), program)
    return Work(path.name.split(".")[0], recording(path, wakeup))


def _replayed(folder: Path) -> Bundle:
    """What the runs in a folder were made from: the trace, or where there was none the program."""
    bundles = load_all(folder)
    return bundles.get("trace") or bundles.get("program") or next(iter(bundles.values()))


def reportable(paths: list[Path]) -> Reportable:
    """Sort bundles, and folders of bundles, by kind. Raises StoreError, and UsageError without a run."""
    found = Reportable()
    for path in paths:
        bundles = load_all(path) if is_collection(path) else {path.name: load(path)}
        for _, bundle in sorted(bundles.items(), key=_forms_first):
            _file(found, bundle, path)
    if not found.runs:
        raise UsageError("no run among these bundles", where=str(paths[0]), remedy="make runs with `tracekit replay`")
    return found


def _forms_first(named: tuple[str, Bundle]) -> tuple[int, str]:
    """A folder has its files by name; a reader expects process, thread, goroutine, as `replay` prints them."""
    name, bundle = named
    model = bundle.meta.get("model")
    return (FORMS.index(model) if model in FORMS else len(FORMS), name)


def _file(found: Reportable, bundle: Bundle, path: Path) -> None:
    if isinstance(bundle, Run):
        found.runs.append(bundle)
    elif isinstance(bundle, Trace) and found.trace is None:
        found.trace = bundle
    elif isinstance(bundle, Program) and found.program is None:
        found.program = bundle
    else:
        raise StoreError(f"a second {bundle.kind}", where=str(path), remedy="one report is about one program")
