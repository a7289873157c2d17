"""Which ring buffers of a file are read, as several may have recorded the same events, and not on one clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tracekit.errors import SourceError
from tracekit.sources.kernel.events import CPU_MAX, EVENT_KINDS
from tracekit.sources.kernel.numbers import Bytes
from tracekit.sources.kernel.syscalls import has_generic_numbers
from tracekit.sources.kernel.tracepoints import KIND
from tracekit.sources.trace_dat.blocks import Block, block_bytes, chunk_bytes, let_go, packed, stored
from tracekit.sources.trace_dat.clock import Clock
from tracekit.sources.trace_dat.header import Header
from tracekit.sources.trace_dat.holes import Holes
from tracekit.sources.trace_dat.layout import PAGE_SIZE
from tracekit.sources.trace_dat.options import Buffer
from tracekit.sources.trace_dat.streams import CpuStream, How
from tracekit.sources.trace_dat.tracepoints import EVENT_TYPES, Plan, plan

_END_NS = (1 << 63) - 1
Policy = dict[str, object]


class Chosen(NamedTuple):
    """Buffers to read, each with the plan of the events that are taken from it; all on one clock."""

    buffers: list[tuple[Buffer, Plan]]
    clock: Clock
    policies: list[Policy]


def choose(data: Bytes, header: Header) -> Chosen:
    """Each event is taken from one buffer: that which has most of it. Raises SourceError where none is to be had."""
    generic_numbers = has_generic_numbers(header.options.machine)
    whole = plan(header.formats, generic_numbers)
    buffers = [buffer for buffer in header.options.buffers if any(size for _, _, size in buffer.cpus)]
    if not buffers:
        raise SourceError("its buffers are empty")
    if len(buffers) == 1:
        return Chosen([(buffers[0], whole)], Clock(buffers[0].clock, header.options), [])
    counts = [_counts(data, header, buffer, whole) for buffer in buffers]
    main = buffers[max(range(len(buffers)), key=lambda place: counts[place].total())]
    clock = Clock(main.clock, header.options)
    same = [place for place, buffer in enumerate(buffers) if buffer.clock == main.clock]
    owners = {kind: max(same, key=lambda place: counts[place][kind]) for place in same for kind in counts[place]}
    chosen, policies = [], []
    for place, buffer in enumerate(buffers):
        owned = {kind for kind, owner in owners.items() if owner == place}
        if owned:
            chosen.append((buffer, _only(whole, owned)))
        reason = "the same events are in another buffer" if place in same else f"its clock is {buffer.clock}"
        left_out = sum(count for kind, count in counts[place].items() if kind not in owned)
        if left_out:
            choice = f"left out: {reason}"
            policies.append({"policy": f"the events of buffer {buffer.name!r}", "choice": choice, "count": left_out})
    return Chosen(chosen, clock, policies)


def _counts(data: Bytes, header: Header, buffer: Buffer, how: Plan) -> Counter[int]:
    """How many events of each kind a buffer has."""
    counts: Counter[int] = Counter()
    for stream in streams(data, header, [(buffer, how)], Clock(None, header.options), Holes()):
        while not stream.ended:
            stream.advance()
            for part in stream.take(_END_NS):
                kinds = np.bincount(part.events["kind"], minlength=len(EVENT_KINDS))
                counts.update({kind: count for kind, count in enumerate(kinds.tolist()) if count})
            let_go(data)
    return counts


def _only(whole: Plan, kinds: set[int]) -> Plan:
    kept = np.append(np.isin(whole.rows[:, KIND], list(kinds)), False)  # the last: of row -1
    return whole._replace(row_of=np.where(kept[whole.row_of], whole.row_of, np.full(EVENT_TYPES, -1)))


def streams(
    data: Bytes, header: Header, buffers: list[tuple[Buffer, Plan]], clock: Clock, holes: Holes
) -> list[CpuStream]:
    """A stream for each CPU of these buffers; a CPU that can't be, and data that two CPUs claim, are holes."""
    offsets = sorted({offset for buffer, _ in buffers for _, offset, size in buffer.cpus if size})
    limits = dict(zip(offsets, [*offsets[1:], len(data)], strict=True))
    found = []
    for buffer, how in buffers:
        layout = header.layout.copy()
        layout[PAGE_SIZE] = buffer.page_size
        for cpu, offset, size in buffer.cpus:
            if size and (cpu >= CPU_MAX or offset not in limits):
                holes.add(-1 if cpu >= CPU_MAX else cpu, (0, 0), "corrupt", part=f"CPU {cpu} at byte {offset}")
            elif size:
                limit = min(limits.pop(offset), len(data))
                blocks = _blocks(data, header, buffer, offset, size, limit, len(offsets))
                found.append(CpuStream(cpu, min(offset, limit), blocks, How(layout, how, header.big, clock), holes))
    return found


def _blocks(
    data: Bytes, header: Header, buffer: Buffer, offset: int, size: int, limit: int, count: int
) -> Iterator[Block]:
    step = block_bytes(count, buffer.page_size)
    if buffer.packed:
        most = chunk_bytes(count, buffer.page_size)
        return packed(data, offset, limit, header.codec, step, most, ">" if header.big else "<")
    return stored(data, offset, size, limit, step)
