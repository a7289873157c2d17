"""Which bundles are decoded, in which order, and where between two of a CPU something is missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tracekit.sources.kernel.events import CPU_MAX, Records, Rows
from tracekit.sources.perfetto.clocks import Clocks

# A CPU's ring buffer is in order of time, and its bundles are written as they are read. What is further out of
# order than this has a damaged time.
ASTRAY_NS = 1_000_000_000
# The recorder empties its buffers at least each minute (kMaxDrainPeriodMs in ftrace_controller.cc), so that a CPU's
# last bundle does not reach much further than any CPU's last one begins.
_LAST_BUNDLE_NS = 60_000_000_000

Flags = npt.NDArray[np.bool_]


def scheduling(bundles: Records) -> Rows:
    """How many scheduling events each bundle has."""
    counted: Rows = bundles["switches"] + bundles["wakings"] + bundles["plain"]
    return counted


def recorder(bundles: Records) -> tuple[int, Rows]:
    """(the machine, the packet sequences) that have scheduling events; of several machines the one with the most."""
    counts = scheduling(bundles)
    machines, place = np.unique(bundles["machine"], return_inverse=True)
    machine = int(machines[np.bincount(place, counts).argmax()])
    ours = (bundles["machine"] == machine) & (counts > 0)
    return machine, np.unique(bundles["sequence"][ours])


def clock_of(bundles: Records) -> int:
    """The FtraceClock of most scheduling events."""
    clocks, place = np.unique(bundles["clock"], return_inverse=True)
    return int(clocks[np.bincount(place, scheduling(bundles)).argmax()])


def number_streams(bundles: Records) -> int:
    """Number the streams, of one sequence and CPU each, into `stream`; returns how many there are."""
    streams, place = np.unique(bundles["sequence"] * CPU_MAX + bundles["cpu"], return_inverse=True)
    bundles["stream"] = place
    return len(streams)


def bring_to_one_clock(bundles: Records, clocks: Clocks) -> Flags:
    """Shift the times of bundles that have another clock; returns which could be."""
    shifted = np.ones(len(bundles), np.bool_)
    for clock in np.unique(bundles["clock"]).tolist():
        if clock == clocks.clock:
            continue
        rows, shift = bundles["clock"] == clock, clocks.shift_from(clock)
        shifted[rows] = shift is not None
        for name in ("first_ns", "last_ns", "previous_end_ns", "error_ns"):
            times = bundles[name][rows]
            bundles[name][rows] = np.where(times > 0, times + (shift or 0), times)
        bundles["shift_ns"][rows] = shift or 0
    return shifted


def by_stream(bundles: Records) -> Rows:
    """Rows stream by stream, each in file order."""
    order: Rows = np.argsort(bundles["stream"], kind="stable")
    return order


def astray(bundles: Records) -> Flags:
    """Bundles that begin at a time which contradicts those before and after them of the same CPU."""
    odd = np.zeros(len(bundles), np.bool_)
    order = by_stream(bundles)
    streams, first_ns = bundles["stream"][order], bundles["first_ns"][order]
    back = (np.diff(first_ns) < -ASTRAY_NS) & (streams[1:] == streams[:-1])
    for stream in np.unique(streams[1:][back]).tolist():
        rows = order[np.searchsorted(streams, stream) : np.searchsorted(streams, stream, side="right")]
        odd[_odd_ones(rows.tolist(), bundles["first_ns"])] = True
    return odd


def _odd_ones(rows: list[int], first_ns: Rows) -> list[int]:
    """The odd one out of each three in a row, where time jumps back."""
    found, sound = [], list[int]()
    for row in rows:
        if sound and first_ns[row] < first_ns[sound[-1]] - ASTRAY_NS:
            if len(sound) > 1 and first_ns[row] < first_ns[sound[-2]] - ASTRAY_NS:
                found.append(row)
                continue
            found.append(sound.pop())
        sound.append(row)
    return found


def set_limits(bundles: Records) -> None:
    """How late a bundle's events may be: not later than the next one of its CPU begins."""
    order = by_stream(bundles)
    latest = int(bundles["first_ns"].max()) + _LAST_BUNDLE_NS
    limits = np.full(len(order), latest, np.int64)
    streams, first_ns = bundles["stream"][order], bundles["first_ns"][order]
    followed = np.flatnonzero(streams[1:] == streams[:-1])
    limits[followed] = first_ns[followed + 1] + ASTRAY_NS
    bundles["limit_ns"][order] = limits


def in_time(bundles: Records) -> tuple[Rows, Rows]:
    """(rows by time, and for each the earliest time of any that come after it).

    Rows of one stream stay in file order, as each goes on where the one before ended.
    """
    keys = bundles["first_ns"].copy()
    order = by_stream(bundles)
    streams = bundles["stream"][order]
    back = (np.diff(keys[order]) < 0) & (streams[1:] == streams[:-1])
    for stream in np.unique(streams[1:][back]).tolist():
        rows = order[np.searchsorted(streams, stream) : np.searchsorted(streams, stream, side="right")]
        keys[rows] = np.maximum.accumulate(keys[rows])
    rows = np.argsort(keys, kind="stable")
    first_ns = bundles["first_ns"][rows]
    later = np.full(len(rows), np.iinfo(np.int64).max)
    later[:-1] = np.minimum.accumulate(first_ns[::-1])[::-1][1:]
    return rows, later
