"""One real execution of a program: start a runner, bound it, measure it, leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tracekit.errors import ExecutionError
from tracekit.native import build
from tracekit.native.memory import MemoryMeter
from tracekit.native.wire import Result, read_result, write_program
from tracekit.tables.bundle import Program
from tracekit.vocabulary import FORMS

TIME_LIMIT_S = 60.0
# The first may pay for pages of files that nobody read before (memory is charged to who reads them first).
_IDLE_RUNS = 3


@dataclass(frozen=True)
class Execution:
    """What one execution cost. `peak_bytes` is the physical memory above an idle runner, None where unknown."""

    form: str
    cpus: int
    result: Result
    peak_bytes: int | None

    @property
    def makespan_ns(self) -> int:
        """From the start of the first task to the end of the last."""
        return self.result.makespan_ns


class Prepared:
    """A program written for the runners, to be executed as often as wanted. Use as a context manager."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._folder = tempfile.TemporaryDirectory(prefix="tracekit-execute-")
        self.path = Path(self._folder.name) / "program"
        write_program(program, self.path)
        self._idle_bytes: dict[tuple[str, int], int | None] = {}

    def __enter__(self) -> Prepared:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def execute(
        self,
        form: str,
        *,
        cpus: int,
        limit_s: float = TIME_LIMIT_S,
        log: bool = False,
        go_trace: Path | None = None,
        recorder: list[str] | None = None,
    ) -> Execution:
        """Run once as `form` on the first `cpus` CPUs.

        `log` notes each step's times; `go_trace` records with Go's tracer; `recorder` is a command that the runner
        is given to (perf record … --). Raises ExecutionError for a program that does not end within `limit_s`, or
        that this machine refuses.
        """
        available = sorted(os.sched_getaffinity(0))
        if not 1 <= cpus <= len(available):
            raise ExecutionError(f"{cpus} CPUs wanted, and this machine lends {len(available)}")
        result = Path(self._folder.name) / "result"
        result.unlink(missing_ok=True)
        command = [*(recorder or []), *_command(form, self.path, result, log, go_trace)]
        idle = None if recorder or go_trace else self._idle_peak(form, available[:cpus], limit_s)
        with MemoryMeter() as meter:
            _run(command, available[:cpus], limit_s, meter)
        peak = None if idle is None or meter.peak_bytes is None else max(meter.peak_bytes - idle, 0)
        return Execution(form, cpus, read_result(result, self.program, form), peak)

    def _idle_peak(self, form: str, cpus: list[int], limit_s: float) -> int | None:
        """The peak of a runner that reads the program and starts none of its tasks: measured once a form and CPUs."""
        key = form, len(cpus)
        if key not in self._idle_bytes:
            peaks = []
            for _ in range(_IDLE_RUNS):
                with MemoryMeter() as meter:
                    _run([*_command(form, self.path, Path(os.devnull), False, None), "idle"], cpus, limit_s, meter)
                peaks.append(meter.peak_bytes)
            known = [peak for peak in peaks if peak is not None]
            self._idle_bytes[key] = int(median(known)) if known else None
        return self._idle_bytes[key]

    def idle_bytes(self, form: str, cpus: int) -> int | None:
        """Peak physical memory of the form's runner with nothing to do; None before an execution, or where unknown."""
        return self._idle_bytes.get((form, cpus))


def _command(form: str, program: Path, result: Path, log: bool, go_trace: Path | None) -> list[str]:
    if form not in FORMS:
        raise ExecutionError(f"no form {form}", remedy=f"give one of {', '.join(FORMS)}")
    if form == "goroutine":
        options = (["-log"] if log else []) + (["-trace", str(go_trace)] if go_trace else [])
        return [str(build.go_program()), str(program), str(result), *options]
    return [str(build.c_program()), form, str(program), str(result), *(["log"] if log else [])]


def _run(command: list[str], cpus: list[int], limit_s: float, meter: MemoryMeter) -> None:
    environment = {**os.environ, "GOMAXPROCS": str(len(cpus))}
    with _only_on(cpus), _ended(command, environment, meter) as child:
        try:
            _, said = child.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            raise ExecutionError(
                f"it did not end within {limit_s:g} s", remedy="a deadlock, or give more time with --limit"
            ) from None
        if child.returncode:
            lines = said.decode("utf-8", "replace").strip().splitlines()
            reason = lines[0] if lines else _ending(child.returncode)
            raise ExecutionError(f"the runner stopped: {reason}")


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"


@contextmanager
def _only_on(cpus: list[int]) -> Iterator[None]:
    """Children inherit the CPUs of who starts them."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _ended(command: list[str], environment: dict[str, str], meter: MemoryMeter) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a session of its own; when the block is left, however, neither it nor its children are there."""
    child = subprocess.Popen(
        meter.wrapped(command), env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield child
    finally:
        meter.stop()
        _kill_group(child.pid)
        child.wait()


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
