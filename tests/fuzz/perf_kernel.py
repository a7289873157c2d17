"""The kernel that small perf.data files are of: its symbols, and the callchains of switches into waits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

from tracekit.sources.perf_data import callchains

RELEASE = "6.18"
TEXT_AT = 0xFFFFFFFF81000000
_SPACING = 0x100
_WAITS_IN = {  # reason: a function in which tasks wait so
    "sleep": "do_nanosleep",
    "lock": "do_futex",
    "join": "do_wait",
    "channel_recv": "anon_pipe_read.constprop.0",
    "network": "do_sys_poll",
    "io": "io_schedule",
    "yield": "__x64_sys_sched_yield",
}
_FUNCTIONS = ("__schedule", "schedule", *_WAITS_IN.values(), "do_syscall_64")
_AT = dict(zip(_FUNCTIONS, itertools.count(TEXT_AT + _SPACING, _SPACING), strict=False))
_KERNEL, _USER = -128, -512  # PERF_CONTEXT_*
_MASK = (1 << 64) - 1

KALLSYMS = f"{TEXT_AT:016x} T _stext\n{TEXT_AT:016x} T _text\n" + "".join(
    f"{address:016x} t {name}\n" for name, address in _AT.items()
)


def chain(reason: str | None) -> list[int]:
    """The addresses of a switch by a task that waits so, innermost first; of a switch for no such reason, others."""
    within = [] if reason is None else [_WAITS_IN[reason]]
    kernel = [_AT[name] + 0x10 for name in ("__schedule", "schedule", *within, "do_syscall_64")]
    return [frame & _MASK for frame in (_KERNEL, *kernel, _USER, _AT["do_wait"])]


@contextmanager
def booted(kallsyms: str = KALLSYMS, release: str = RELEASE) -> Iterator[None]:
    """As if this kernel ran here."""
    symbols = callchains.symbols_in(kallsyms)
    with (
        patch.object(callchains, "_symbols", lambda: symbols),
        patch.object(callchains, "platform", SimpleNamespace(release=lambda: release)),
    ):
        yield
