"""numba for the whole package: typed decorators, and a compile cache that never serves stale code.

numba's own cache looks at the file of the function it compiles, and not at the files of what that function
calls. Here every cache folder is named by a digest of all sources that can end up in the compiled code, so
that an edit of any of them gives a new folder. `NUMBA_DISABLE_JIT=1` runs the same functions as plain Python.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.cpu import CPUTargetOptions
from numba.core.types import int8, int16, int32, int64
from numba.core.types.misc import unliteral

F = TypeVar("F", bound=Callable[..., Any])

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") != "1"
KEPT_FOLDERS = 24  # compiled code of older sources; more would pile up while developing

_PACKAGE = Path(__file__).parent


def cache_root() -> Path:
    """Where compiled code is kept: TRACEKIT_CACHE_DIR, or `tracekit` in the user's cache folder."""
    chosen = os.environ.get("TRACEKIT_CACHE_DIR")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tracekit"


def reach(module: str) -> list[Path]:
    """The package's files that code of `module` can have compiled in, as imports run one way.

    Code of a source: that source's and the shared kernel's. Of the engine or the models: both, whole. Of any other
    folder: its own. The top level's modules belong to all.
    """
    parts = module.split(".")[1:]
    folder = parts[0] if len(parts) > 1 else ""
    if folder == "sources":
        folders = [_PACKAGE / "sources" / "kernel", _PACKAGE / "sources" / parts[1]]
    elif folder in ("engine", "models"):
        folders = [_PACKAGE / "engine", _PACKAGE / "models"]
    else:
        folders = [_PACKAGE / folder] if folder else [_PACKAGE]
    single = _PACKAGE.joinpath(*parts).with_suffix(".py")
    found = {*_PACKAGE.glob("*.py"), *(path for folder in folders for path in folder.rglob("*.py")), single}
    return sorted(path for path in found if path.is_file())


@cache
def sources_digest(module: str, extra: tuple[Path, ...] = ()) -> str:
    """A digest of the files that `module` reaches, of `extra` files, and of what compiles them."""
    state = hashlib.sha256(f"{numba.__version__} {platform.python_version()} {platform.machine()}".encode())
    for path in [*reach(module), *extra]:
        # the index of a cache names modules: the same file of a third party may be another module elsewhere
        state.update((str(path) if path in extra else path.name).encode())
        state.update(path.read_bytes())
    return state.hexdigest()[:16]


@cache
def _cache_folder(module: str, extra: tuple[Path, ...]) -> Path:
    folder = cache_root() / f"numba-{sources_digest(module, extra)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        _prune(folder.parent)
    except OSError:  # no home, or a read-only one: compile anew in each process
        folder = Path(tempfile.mkdtemp(prefix="tracekit-numba-"))
    return folder


def _prune(root: Path) -> None:
    folders = sorted(root.glob("numba-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in folders[KEPT_FOLDERS:]:
        shutil.rmtree(old, ignore_errors=True)


_INNER: set[Any] = set()  # code objects of what `njit` decorated


@cache
def _link_once() -> None:
    """Let numba link and optimise each inner function once, with its outermost caller.

    As it comes, numba links all callees into each function, optimises that and makes machine code of it: a function
    deep down is compiled again for each one above. For the engine this took 27 s of 39 s, and all but the outermost
    one's result was thrown away. Where numba's own classes are not as expected, nothing is changed.
    """
    try:
        from numba import _dynfunc
        from numba.core.codegen import JITCodeLibrary
        from numba.core.cpu import CPUContext
        from numba.core.typed_passes import BaseNativeLowering

        lower, finalize, executable = BaseNativeLowering.run_pass, JITCodeLibrary.finalize, CPUContext.get_executable
    except (ImportError, AttributeError):
        return

    def run_pass(self: Any, state: Any) -> Any:
        if state.library is None and state.func_id.code in _INNER and state.flags.no_cpython_wrapper:
            state.library = state.targetctx.codegen().create_library(state.func_id.func_qualname)
            state.library.inner = True
        return lower(self, state)

    def finalize_once(self: Any) -> None:
        if getattr(self, "inner", False):
            self._finalize_dynamic_globals()
            self._finalized = True
            return
        self._linking_libraries = _reached(self._linking_libraries)
        finalize(self)

    def get_executable(self: Any, library: Any, fndesc: Any, env: Any) -> Any:
        if getattr(library, "inner", False):  # it stands for the function where numba looks one up, and is never called
            return _dynfunc.make_function(fndesc.lookup_module(), fndesc.qualname, "", 0, env, (library,))
        return executable(self, library, fndesc, env)

    BaseNativeLowering.run_pass = run_pass
    JITCodeLibrary.finalize = finalize_once
    CPUContext.get_executable = get_executable


def _reached(libraries: list[Any]) -> list[Any]:
    """The libraries, and those that the inner ones among them call, callers first: LLVM drops what nobody calls yet."""
    seen: set[int] = set()
    last_first: list[Any] = []

    def visit(library: Any) -> None:
        if id(library) not in seen:
            seen.add(id(library))
            for called in library._linking_libraries if getattr(library, "inner", False) else ():
                visit(called)
            last_first.append(library)

    for library in libraries:
        visit(library)
    return last_first[::-1]


def njit(function: F) -> F:
    """Compile when called from compiled code, and only from there; not cached by itself (its caller is).

    Without wrappers for Python callers, compiling the engine takes a good part less.
    """
    _INNER.add(function.__code__)
    compiled: F = numba.njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    if JIT:
        _widen(compiled)
    return compiled


def _widen(dispatcher: Any) -> None:
    """Compile once for all integers: as it comes, numba compiles anew for each constant and each width that a caller
    passes (the engine: 254 times for 147 functions), though LLVM inlines the constants anyway."""
    template = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        return template(tuple(map(_wide, args)), {name: _wide(kind) for name, kind in kws.items()})

    dispatcher.get_call_template = get_call_template


def _wide(kind: Any) -> Any:
    plain = unliteral(kind)
    return int64 if plain in (int8, int16, int32) else plain


# Counting references to the arrays that go from callee to callee took 95 % of the readers' loops (400 ns of 415 an
# event), though none can go away meanwhile: the outermost function's caller holds them all. The option is numba's
# own affair; without it all is right, only slower.
_UNCOUNTED: dict[str, Any] = {"_nrt": False} if hasattr(CPUTargetOptions, "_nrt") else {}


def lean(function: F) -> F:
    """Compile into each compiled caller, without reference counts. The function must not create an array."""
    compiled: F = numba.njit(
        nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True, **_UNCOUNTED
    )(function)
    return compiled


def cached_njit(function: F, *, extra: Iterable[Path] = (), counted: bool = True) -> F:
    """Compile on first call, and keep the result on disk for other processes.

    `extra` names source files outside the package (a third party's model) whose code gets compiled in. With
    `counted` false arrays are not reference counted; then the function must not create any.
    """
    if not JIT:
        return function
    _link_once()
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_cache_folder(function.__module__, tuple(sorted(extra))))
    try:
        compiled: F = numba.njit(nogil=True, cache=True, **({} if counted else _UNCOUNTED))(function)
    finally:
        numba.config.CACHE_DIR = before
    return compiled
