"""Go's own cases for its trace reader (`src/internal/trace/testdata`), and its event table, where Go is installed."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from pathlib import Path

import pytest

from tests.fuzz.go_writer import assemble
from tests.roundtrip.test_go_transitions import go
from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.go_trace import SOURCE
from tracekit.sources.go_trace.spec import BY_NAME, SPECS
from tracekit.tables.bundle import Trace
from tracekit.tables.checks import check

pytestmark = pytest.mark.reference

# As of Go 1.27. Named here so that each is a test of its own, and one that is missing is seen.
CASES = [
    "go122-annotations-stress", "go122-annotations", "go122-confuse-seq-across-generations",
    "go122-create-syscall-reuse-thread-id", "go122-create-syscall-with-p", "go122-fail-first-gen-first",
    "go122-gc-stress", "go122-go-create-without-running-g", "go122-syscall-steal-proc-ambiguous",
    "go122-syscall-steal-proc-gen-boundary-bare-m",
    "go122-syscall-steal-proc-gen-boundary-reacquire-new-proc-bare-m",
    "go122-syscall-steal-proc-gen-boundary-reacquire-new-proc", "go122-syscall-steal-proc-gen-boundary",
    "go122-syscall-steal-proc-reacquire-new-proc-bare-m", "go122-syscall-steal-proc-reacquire-new-proc",
    "go122-syscall-steal-proc-self", "go122-syscall-steal-proc-simple-bare-m", "go122-syscall-steal-proc-simple",
    "go122-syscall-steal-proc-sitting-in-syscall", "go122-task-across-generations", "go123-sync", "go125-sync",
]  # fmt: skip


@functools.cache
def go_source() -> Path:
    """Go's trace package in GOROOT."""
    root = subprocess.run([go(), "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    folder = Path(root) / "src" / "internal" / "trace"
    if not (folder / "testdata" / "tests").is_dir():
        pytest.skip(f"needs {folder}/testdata/tests")
    return folder


def read(data: bytes, folder: Path) -> Trace | None:
    """The trace, or None where it is refused."""
    path = folder / "case.trace"
    path.write_bytes(data)
    try:
        return SOURCE.read(path, ReadOptions())
    except SourceError:
        return None


@pytest.mark.parametrize("name", CASES)
def test_case_reads_or_fails_as_expected(name: str, tmp_path: Path) -> None:
    text = (go_source() / "testdata" / "tests" / f"{name}.test").read_text()
    expectation, trace_text = text.split("-- trace --\n")
    trace = read(assemble(trace_text), tmp_path)
    if "SUCCESS" in expectation:
        assert trace is not None
        assert trace.frame("gaps").height == 0
        assert trace.meta["events"] > 0
    else:
        assert trace is None or trace.frame("gaps").height > 0
    if trace is not None:
        assert check(trace) == []


def test_no_case_is_left_out() -> None:
    cases = {path.stem for path in (go_source() / "testdata" / "tests").glob("*.test")}
    assert cases <= set(CASES)


def test_go_fuzz_corpus_is_read_or_refused(tmp_path: Path) -> None:
    corpus = sorted((go_source() / "testdata" / "fuzz").glob("*/*"))
    assert corpus
    for path in corpus:
        literal = re.search(r'\[\]byte\((".*")\)', path.read_text(), re.DOTALL)
        assert literal, path
        escaped = "".join(chr(byte) if byte < 0x80 else f"\\x{byte:02x}" for byte in literal[1].encode())
        data = ast.literal_eval("b" + escaped)
        trace = read(data, tmp_path)
        assert trace is None or check(trace) == [], path


def test_events_are_those_of_go() -> None:
    """Names, codes in order, and arguments, as Go's source has them."""
    text = (go_source() / "tracev2" / "events.go").read_text()
    listed = re.search(r"const \(\n\tEvNone EventType = iota.*?\n\)", text, re.DOTALL)
    assert listed
    names = re.findall(r"^\tEv(\w+)", listed[0], re.MULTILINE)
    assert {name: code for code, name in enumerate(names) if code} == {s.name: s.code for s in SPECS if s.code < 128}
    specs = re.findall(r"\tEv(\w+): \{\n\t\tName: .*?\n(.*?)\n\t\},", text, re.DOTALL)
    for name, body in specs:
        spec = BY_NAME[name]
        assert ("IsTimedEvent: true" in body) == (spec.timed or name == "ClockSnapshot")
        args = re.search(r"Args: +\[\]string\{(.*?)\}", body)
        if spec.timed and args:
            assert tuple(re.findall(r'"(\w+)"', args[1])) == spec.args
