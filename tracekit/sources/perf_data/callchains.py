"""What a task waits for, by the kernel functions that it left its CPU in: the callchain of a sched_switch.

perf.data has addresses only. They are read by the symbols of the kernel that runs here, and only if the recording is
of this very boot: its note of where the kernel's text begins has to be where it begins now (perf puts the address of
its reference symbol into the record that maps the kernel: tools/perf/util/synthetic-events.c,
perf_event__synthesize_kernel_mmap).
"""

from __future__ import annotations

import platform
import re
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tracekit.jit import lean
from tracekit.sources.kernel.events import Number, Rows
from tracekit.sources.kernel.numbers import Bytes, i64
from tracekit.sources.perf_data import walk
from tracekit.sources.perf_data.features import Notes
from tracekit.sources.perf_data.header import Header
from tracekit.sources.perf_data.layout import CALLCHAIN, TRACEPOINT, Attr
from tracekit.vocabulary import REASONS

KALLSYMS = Path("/proc/kallsyms")
# Functions of Linux 5.10 to 6.18 in which tasks wait, by what they wait for there; of several the outermost tells.
_WAITS_IN = {
    "sleep": ("do_nanosleep", "hrtimer_nanosleep"),
    "lock": ("futex_wait", "__futex_wait", "futex_wait_queue", "futex_wait_queue_me", "do_futex", "locks_lock_inode_wait"),
    "join": ("do_wait",),
    "channel_recv": ("pipe_read", "anon_pipe_read", "fifo_pipe_read", "do_msgrcv", "do_mq_timedreceive"),
    "channel_send": ("pipe_write", "anon_pipe_write", "fifo_pipe_write", "do_msgsnd", "do_mq_timedsend"),
    "event": ("eventfd_read", "do_semtimedop", "__do_semtimedop", "do_sigtimedwait", "sigsuspend"),
    "network": (
        "do_sys_poll", "do_select", "do_epoll_wait", "ep_poll", "sk_wait_data", "sk_stream_wait_memory",
        "inet_csk_accept", "inet_stream_connect", "__inet_stream_connect", "unix_stream_read_generic",
        "unix_wait_for_peer", "unix_accept", "__skb_wait_for_more_packets",
    ),
    "io": (
        "io_schedule", "io_schedule_timeout", "timerfd_read", "timerfd_read_iter", "n_tty_read", "inotify_read",
        "read_events", "io_cqring_wait", "jbd2_log_wait_commit", "submit_bio_wait",
    ),
    "page_fault": ("filemap_fault", "do_swap_page"),
    "yield": ("do_sched_yield", "__do_sys_sched_yield"),
}  # fmt: skip

_KERNEL_MAPPED = "[kernel.kallsyms]"
_NAME_AT = {1: 40, 10: 72}  # struct perf_record_mmap; perf_record_mmap2, which perf writes with --buildid-mmap
_ORIGIN_AT = 32  # in both (pgoff)
_LOOK_BYTES = 1 << 16  # perf maps the kernel before all else
_SCHED_YIELD = re.compile(r"__\w+_sys_sched_yield")  # of each architecture: the outermost, where all else is inlined
_USER = -512  # PERF_CONTEXT_USER (include/uapi/linux/perf_event.h): what follows is not the kernel's


class Functions(NamedTuple):
    """Of functions in order of address: where each begins and ends (as signed 64 bits), and its REASONS."""

    begin: Rows
    end: Rows
    reason: Rows


# The policy of a recording whose callchains can't be read.
UNREAD = {
    "policy": "callchains of switches",
    "choice": "not read: of another boot or kernel, or /proc/kallsyms shows no addresses here",
    "count": 1,
}
NONE = Functions(*(np.empty(0, np.int64) for _ in Functions._fields))


def tells_waits(attrs: Sequence[Attr]) -> bool:
    """Whether any tracepoint was recorded with callchains."""
    return any(attr.type == TRACEPOINT and attr.sample_type & CALLCHAIN for attr in attrs)


def functions_of(data: Bytes, header: Header, notes: Notes) -> Functions:
    """Where the recorded kernel's waiting functions are; NONE where that is not known."""
    told = _reference(data, header) if tells_waits(header.attrs) else None
    if told is None or (notes.kernel is not None and notes.kernel != platform.release()):
        return NONE
    name, address = told
    try:
        symbols = _symbols()
    except OSError:
        return NONE
    return symbols[1] if symbols[0].get(name) == address else NONE


def _reference(data: Bytes, header: Header) -> tuple[str, int] | None:
    """The symbol by which perf noted where the kernel is, and its address."""
    at = header.data[0]
    end, places = min(at + _LOOK_BYTES, len(data)), np.empty(1, np.int64)
    count, _ = walk.find(data, at, end, end, header.big, np.array(list(_NAME_AT)), places)
    if not count:
        return None
    record = bytes(data[places[0] : places[0] + walk.next_record(data, places[0], end, header.big)])
    name_at = _NAME_AT[struct.unpack_from(header.order + "I", record)[0]]
    name = record[name_at:].split(b"\0", 1)[0].decode("ascii", "replace")
    if not name.startswith(_KERNEL_MAPPED):
        return None
    (address,) = struct.unpack_from(header.order + "Q", record, _ORIGIN_AT)
    return name.removeprefix(_KERNEL_MAPPED), address


@cache
def _symbols() -> tuple[dict[str, int], Functions]:
    return symbols_in(KALLSYMS.read_text())


def symbols_in(kallsyms: str) -> tuple[dict[str, int], Functions]:
    """Where the kernel's text begins, by the names that perf refers to, and the functions that tasks wait in.

    Lines are `address type name`, those of the kernel itself in order of address; a part of a function that the
    compiler split off (`name.constprop.0`) counts as the function. Without the right to see addresses all are 0.
    """
    known = {name: REASONS[reason] for reason, names in _WAITS_IN.items() for name in names}
    references: dict[str, int] = {}
    found: list[tuple[int, int, int]] = []
    begun: tuple[int, int] | None = None
    for line in kallsyms.split("\n"):
        if "\t" in line or len(words := line.split(" ")) != 3:
            break  # modules come after the kernel
        address, whole = int(words[0], 16), words[2]
        if begun is not None and address > begun[0]:
            found.append((begun[0], address, begun[1]))
            begun = None
        name = whole.split(".", 1)[0]
        if whole in ("_text", "_stext"):
            references[whole] = address
        elif name in known or _SCHED_YIELD.fullmatch(name):
            begun = (address, known.get(name, REASONS["yield"]))
    if not any(references.values()):
        return {}, NONE
    rows = np.array(found, np.uint64).reshape(-1, 3).astype(np.int64)
    rows = rows[np.argsort(rows[:, 0])]
    return references, Functions(*(np.ascontiguousarray(column) for column in rows.T))


@lean
def reason_of(data: Bytes, at: int, functions: Functions, big: bool) -> Number:
    """REASONS of the outermost known function of the callchain at `at` (its length, then addresses); -1 for none."""
    reason = -1
    for frame in range(i64(data, at, big)):
        address = i64(data, at + 8 + 8 * frame, big)
        if address == _USER:
            break
        row = np.searchsorted(functions.begin, address, side="right") - 1
        if row >= 0 and address < functions.end[row]:
            reason = functions.reason[row]
    return reason
