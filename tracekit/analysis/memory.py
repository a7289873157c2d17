"""Memory over time: what a run's tasks hold, or the heap of a Go program."""

from __future__ import annotations

import polars as pl

from tracekit.analysis.history import History
from tracekit.analysis.result import Analysis, Table
from tracekit.tables.bundle import Run

POINTS = 200
_NOTHING = "Memory is not recorded: a run has it, and of recordings a Go execution trace (its heap)."


def memory(seen: History, points: int = POINTS) -> Analysis:
    """`kinds`: peak, mean over time and last value of each kind; `over_time`: the highest value in each of `points` bins."""
    values = _values(seen)
    if values.is_empty():
        return Analysis("memory", {}, {}, (_NOTHING,))
    end_ns = max(seen.recorded_ns, 1)
    lasting = values.sort("kind", "at_ns", maintain_order=True).with_columns(
        until=pl.col("at_ns").shift(-1).over("kind").fill_null(end_ns)
    )
    weight = (pl.col("until") - pl.col("at_ns")).clip(lower_bound=0)
    kinds = lasting.group_by("kind", maintain_order=True).agg(
        peak_bytes=pl.col("bytes").max(),
        peak_at_ns=pl.col("at_ns").get(pl.col("bytes").arg_max()),
        mean_bytes=((pl.col("bytes").cast(pl.Float64) * weight).sum() / weight.sum().clip(lower_bound=1))
        .round()
        .cast(pl.Int64),
        last_bytes=pl.col("bytes").last(),
    )
    width = max(1, -(-end_ns // points))
    over_time = lasting.group_by("kind", start_ns=pl.col("at_ns") // width * width).agg(
        most_bytes=pl.col("bytes").max()
    )
    facts = {"end_ns": seen.recorded_ns, "limit_reached": _limit(seen)}
    return Analysis("memory", facts, {
        "kinds": Table("Memory by kind", kinds),
        "over_time": Table("The most in each bin in which it changed", over_time.sort("kind", "start_ns")),
    }, _missing(seen))  # fmt: skip


def _values(seen: History) -> pl.DataFrame:
    """kind, at_ns, bytes."""
    parts = [pl.DataFrame(schema={"kind": pl.String, "at_ns": pl.Int64, "bytes": pl.Int64})]
    if isinstance(seen.bundle, Run):
        held = seen.bundle.frame("memory")
        parts += [
            held.select(pl.lit(kind).alias("kind"), "at_ns", bytes=f"{kind}_bytes") for kind in ("resident", "virtual")
        ]
    counted = seen.bundle.frame("counters").select(pl.col("kind").cast(pl.String), "at_ns", bytes="value")
    parts.append(
        counted.filter(pl.col("kind").str.ends_with("_bytes")).with_columns(pl.col("kind").str.strip_suffix("_bytes"))
    )
    return pl.concat(parts)


def _limit(seen: History) -> str | None:
    return str(seen.bundle.meta.get("outcome_detail")) if seen.bundle.meta.get("outcome") == "limit" else None


def _missing(seen: History) -> tuple[str, ...]:
    return (
        ()
        if isinstance(seen.bundle, Run)
        else ("Stacks, page tables and kernel memory are not in a Go trace, only the heap.",)
    )
