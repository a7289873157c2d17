"""A part of a trace or run, by time: what happened in it, as if the recording had begun and ended there."""

from __future__ import annotations

import polars as pl

from tracekit.errors import UsageError
from tracekit.tables.build import table
from tracekit.tables.bundle import Bundle, Run, Trace
from tracekit.tables.order import ORDER
from tracekit.tables.schema import BUNDLES, TABLES

_REFERENCES = ("task_id", "process_id", "parent_id", "waker_id", "wakee_id", "target_id")


def window(bundle: Trace | Run, start_ns: int, end_ns: int) -> Trace | Run:
    """The bundle from `start_ns` to `end_ns`, times counted from `start_ns`; what crosses a border is cut there.

    Tasks without an interval in it are left out, and the others numbered anew. Raises UsageError when nothing
    happened in it.
    """
    frames = {name: _cut(bundle.frame(name), name, start_ns, end_ns) for name in bundle.tables if name != "tasks"}
    kept = frames["intervals"]["task_id"].unique()
    if start_ns >= end_ns or kept.is_empty():
        raise UsageError(f"nothing happens from {start_ns} ns to {end_ns} ns")
    tasks = bundle.frame("tasks")
    leaders = tasks.filter(pl.col("task_id").is_in(kept.implode()))["process_id"].drop_nulls()
    tasks = tasks.filter(pl.col("task_id").is_in(pl.concat([kept, leaders]).implode()))
    numbers = dict(zip(tasks["task_id"].to_list(), range(len(tasks)), strict=True))
    frames["tasks"] = _lives(tasks, start_ns, end_ns)
    tables = {name: _renumbered(bundle, name, frame, numbers) for name, frame in frames.items()}
    return type(bundle)({name: tables[name] for name in bundle.tables}, _meta(bundle, start_ns, end_ns))


def _cut(frame: pl.DataFrame, name: str, start_ns: int, end_ns: int) -> pl.DataFrame:
    if "at_ns" in frame.columns:
        return frame.filter(pl.col("at_ns").is_between(start_ns, end_ns)).with_columns(pl.col("at_ns") - start_ns)
    if "start_ns" not in frame.columns:
        return frame  # stacks: they have no time
    inside = (pl.col("start_ns") < end_ns) & (pl.col("end_ns") > start_ns)
    if name == "gaps":  # may be a moment
        inside = (pl.col("start_ns") <= end_ns) & (pl.col("end_ns") >= start_ns)
    shifted = [pl.col(column).clip(start_ns, end_ns) - start_ns for column in ("start_ns", "end_ns")]
    return frame.filter(inside).with_columns(shifted)


def _lives(tasks: pl.DataFrame, start_ns: int, end_ns: int) -> pl.DataFrame:
    outlived = pl.col("end_ns") > end_ns
    return tasks.with_columns(
        pl.col("start_ns").clip(start_ns, end_ns) - start_ns,
        end_ns=pl.when(outlived).then(None).otherwise(pl.col("end_ns").clip(start_ns) - start_ns),
        exit_reason=pl.when(outlived).then(None).otherwise(pl.col("exit_reason")),
    )


def _renumbered(bundle: Bundle, name: str, frame: pl.DataFrame, numbers: dict[int, int]) -> object:
    declared = BUNDLES[bundle.kind][name]
    references = [column for column in _REFERENCES if column in frame.columns]
    frame = frame.with_columns(pl.col(column).replace_strict(numbers, default=None) for column in references)
    if name == "ranges":
        order = dict(zip(frame["range_id"].to_list(), range(len(frame)), strict=True))
        frame = frame.with_columns(pl.col("range_id", "enclosing_id").replace_strict(order, default=None))
    required = [c.name for c in TABLES[declared] if c.name in references and not c.nullable]
    frame = frame.drop_nulls(required).sort(ORDER[declared], maintain_order=True, nulls_last=False)
    return table(declared, {c.name: frame[c.name].to_list() if c.dtype == "words" else frame[c.name].to_arrow()
                            for c in TABLES[declared]})  # fmt: skip


def _meta(bundle: Bundle, start_ns: int, end_ns: int) -> dict[str, object]:
    clock = dict(bundle.meta.get("clock") or {})
    for origin in ("origin_ns", "wall_origin_ns"):
        if clock.get(origin) is not None:
            clock[origin] += start_ns
    policy = {"policy": "only a part of the recording", "choice": f"{start_ns} ns to {end_ns} ns", "count": 1}
    return {
        **bundle.meta,
        "clock": clock,
        "end_ns": end_ns - start_ns,
        "policies": [*bundle.meta.get("policies", []), policy],
    }
