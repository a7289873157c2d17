"""What a user hands over: a recording, a bundle, a workload file or a scenario's name. Told apart by content."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tracekit.cli.progress import progress
from tracekit.errors import StoreError, UsageError
from tracekit.tables.bundle import Bundle, Program, Run, Trace
from tracekit.tables.store import is_bundle, is_collection, load, load_all
from tracekit.vocabulary import FORMS

WORKLOAD_SUFFIX = ".toml"


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
    from tracekit.sources.base import ReadOptions
    from tracekit.sources.registry import ingest

    with progress(f"reading {path.name}") as line:
        return ingest(path, ReadOptions(wakeup=wakeup, progress=line))


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
    if path.suffix == WORKLOAD_SUFFIX or not path.exists():
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
