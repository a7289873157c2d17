"""A file's packets to a stream of kernel events, with what is missing between them and what was chosen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tracekit.errors import SourceError
from tracekit.sources.base import ReadOptions
from tracekit.sources.kernel.events import CPU_MAX, PREV_STATE_CODES, Batch, KernelStream, Records
from tracekit.sources.kernel.formats import prev_state_masks
from tracekit.sources.perfetto import holes
from tracekit.sources.perfetto.batches import Decoder
from tracekit.sources.perfetto.clocks import Clocks
from tracekit.sources.perfetto.facts import Facts
from tracekit.sources.perfetto.interning import MOST_NAMES
from tracekit.sources.perfetto.notes import Notes
from tracekit.sources.perfetto.order import (
    Flags,
    astray,
    bring_to_one_clock,
    clock_of,
    number_streams,
    recorder,
    scheduling,
    set_limits,
)
from tracekit.sources.perfetto.packets import Damage, Found

HOW_TO_RECORD = "record with: tracebox -t 10s -o FILE sched/sched_switch sched/sched_waking"

# prev_state as the event has it, by kernel: TASK_REPORT bits since 4.14, which formats.prev_state_masks knows; before,
# the bits that include/linux/sched.h had then, and above the last of them "R+".
_BITS_BEFORE_4_14 = "SDTtXZxKWPN"
_STATES = 1 << 13  # raw values that are looked up

Policies = list[dict[str, object]]


@dataclass
class Recording:
    """The stream, and what meta wants to know besides."""

    stream: KernelStream
    clocks: Clocks
    facts: Facts


def recording(found: Found, options: ReadOptions, where: str, progress: Callable[[int, int], None]) -> Recording:
    """The recording in the kernel's terms. Raises SourceError when it has no scheduling events."""
    _require(found, where)
    policies: Policies = []
    clocks = Clocks(clock_of(found.bundles), found.bundles, found.facts)
    kept = _usable(found.bundles, clocks, policies)
    if not kept.any():
        raise SourceError("none of its scheduling events has a time and a CPU", where=where, remedy=HOW_TO_RECORD)
    bundles = found.bundles[kept]
    damages = [replace(each, bundles=int(kept[: each.bundles].sum())) for each in found.damages]
    streams = number_streams(bundles)
    gaps, parts = _holes(bundles, damages, found.facts, policies)
    first_ns, last_ns = int(bundles["first_ns"].min()), int(bundles["last_ns"].max())
    set_limits(bundles)
    notes = Notes(found.facts.notes, clocks, first_ns, last_ns)
    states, chosen = states_of(found.facts.release)
    policies += [chosen, *clocks.policies()]
    decoder = Decoder(found.blocks, bundles[scheduling(bundles) > 0], streams, states, notes, progress)
    stream = KernelStream([], [gaps], parts, options.wakeup, policies)
    stream.batches = _watched(decoder, stream)
    return Recording(stream, clocks, found.facts)


def _require(found: Found, where: str) -> None:
    bundles = found.bundles
    if scheduling(bundles).any():
        return
    if int(bundles["events"].sum()):
        what = f"none of its {int(bundles['events'].sum())} ftrace events is one of scheduling"
    elif found.packets:
        what = (
            f"none of its {found.packets} packets has ftrace events: what programs note of themselves (track events)"
            " does not say when they had a CPU"
        )
    else:
        what = "it has no whole packet"
    raise SourceError(what, where=where, remedy=HOW_TO_RECORD)


def _usable(bundles: Records, clocks: Clocks, policies: Policies) -> Flags:
    """Bundles of the recorders that noted scheduling, with a CPU and believable times; what is left out is told."""
    machine, sequences = recorder(bundles)
    kept: Flags = np.isin(bundles["sequence"], sequences)
    reasons = (
        ("scheduling events of another machine", "left out", lambda: bundles["machine"] == machine),
        ("scheduling events without a time or CPU", "left out", lambda: _placed(bundles)),
        ("scheduling events of a clock unlike the others'", "left out", lambda: bring_to_one_clock(bundles, clocks)),
        ("scheduling events at times that can not be", "left out", lambda: _believable(bundles, kept)),
    )
    for policy, choice, sound in reasons:
        bad = kept & ~sound()
        count = int(scheduling(bundles[bad]).sum())
        if count:
            policies.append({"policy": policy, "choice": choice, "count": count})
        kept &= ~bad
    return kept


def _placed(bundles: Records) -> Flags:
    sound: Flags = (bundles["cpu"] >= 0) & (bundles["cpu"] < CPU_MAX)
    sound &= (bundles["first_ns"] >= 0) & (bundles["first_ns"] < 1 << 62)
    return sound


def _believable(bundles: Records, kept: Flags) -> Flags:
    rows = np.flatnonzero(kept)
    chosen = bundles[rows]
    sound = np.ones(len(bundles), np.bool_)
    if len(rows):
        number_streams(chosen)
        sound[rows[astray(chosen)]] = False
    return sound


def _holes(bundles: Records, damages: list[Damage], facts: Facts, policies: Policies) -> holes.Gaps:
    ended = holes.mark_holes(bundles, damages)
    found, parts = holes.gaps(bundles, ended, facts, damages)
    for cpu, lost in holes.kernel_losses(facts, np.unique(bundles["sequence"])).items():
        policies.append(
            {"policy": f"events lost on CPU {cpu}", "choice": "by the kernel's count; see gaps", "count": lost}
        )
    return found, parts


def states_of(release: str | None) -> tuple[npt.NDArray[np.int8], dict[str, object]]:
    """(PREV_STATE_CODES by raw prev_state, the policy) for a kernel of this release."""
    numbers = re.match(r"(\d+)\.(\d+)", release or "")
    version = (int(numbers[1]), int(numbers[2])) if numbers else None
    old = version is not None and version < (4, 14)
    letters = _BITS_BEFORE_4_14 + ("n" if version and version >= (4, 8) else "") if old else ""
    masks, codes, preempted = prev_state_masks(", ".join(f'{{ {1 << bit}, "{x}" }}' for bit, x in enumerate(letters)))
    states = np.full(_STATES, PREV_STATE_CODES["?"], np.int8)
    raw = np.arange(_STATES)
    states[0] = PREV_STATE_CODES["R"]
    states[raw & preempted != 0] = PREV_STATE_CODES["R+"]
    for mask, code in reversed(list(zip(masks, codes, strict=True))):
        states[raw & mask != 0] = code
    choice = f"as Linux {'before' if old else 'since'} 4.14 has them" + ("" if version else "; its release is not told")
    return states, {"policy": "the bits of prev_state", "choice": choice, "count": 0}


def _watched(decoder: Decoder, stream: KernelStream) -> Iterator[Batch]:
    """The batches; what turns out on the way goes into the stream's gaps and policies."""
    yield from decoder.batches()
    gaps, parts = holes.found_while_decoding(decoder.bundles)
    stream.gaps.append(gaps)
    stream.streams.extend(parts)
    if decoder.doubled:
        stream.policies.append(
            {"policy": "events that two recorders noted", "choice": "taken once", "count": decoder.doubled}
        )
    if int(decoder.known.used[0]) == MOST_NAMES:
        stream.policies.append({"policy": "more names than are kept", "choice": "left out", "count": MOST_NAMES})
