"""A trace or run as Chrome trace-event JSON, for Perfetto's UI and whatever else reads that.

A row per CPU in the process `CPUs`, with who runs there; a row per task in its process, with a slice per state; a flow
event pair per wakeup, from the waker to the wakee, or an instant on the wakee's row where a timer or an interrupt woke
it; an instant per gap. Times are microseconds with three digits, so that no nanosecond is lost. `args` carry what the
names do not, and the source for this format reads all of it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from tracekit.tables.bundle import Run, Trace

_TASK_COLUMNS = ("kind", "process_id", "parent_id", "source_id", "start_ns", "end_ns", "exit_reason")
_META = ("host", "kernel", "cpus", "end_ns", "form", "model", "clock")
_BATCH = 200_000  # rows turned to text at once


def write_chrome_json(bundle: Trace | Run, path: Path) -> None:
    """Write all of a trace or run to `path`."""
    tasks = bundle.frame("tasks")
    ids = _Ids(tasks, bundle.frame("intervals"))
    with path.open("w", encoding="utf-8") as file:
        file.write('{"displayTimeUnit":"ns","traceEvents":[\n')
        file.write(json.dumps({"name": "tracekit", "ph": "M", "pid": ids.cpus, "tid": ids.cpus, "args": _meta(bundle)}))
        for lines in (_names(tasks, ids), *_slices(bundle, ids), *_wakeups(bundle, ids), _gaps(bundle, ids)):
            for line in lines:
                file.write(",\n" + line)
        file.write("\n]}\n")


class _Ids:
    """pid and tid of every row. A task's is its id in the recording where all have one of their own, else its number."""

    def __init__(self, tasks: pl.DataFrame, intervals: pl.DataFrame) -> None:
        own = tasks["source_id"]
        usable = own.null_count() == 0 and own.n_unique() == len(own) and (own.min() or 0) > 0  # type: ignore[operator]
        self.tid = own.cast(pl.Int64) if usable else tasks["task_id"].cast(pl.Int64) + 1
        self.pid = self.tid.gather(tasks["process_id"].fill_null(tasks["task_id"]))
        self.cpus = int(self.tid.max() or 0) + 1  # type: ignore[arg-type]
        self.cpu_numbers: list[int] = sorted(intervals["cpu"].drop_nulls().unique().to_list())


def _meta(bundle: Trace | Run) -> dict[str, Any]:
    return {key: bundle.meta[key] for key in _META if bundle.meta.get(key) is not None}


def _event(**values: Any) -> str:
    return json.dumps(values, ensure_ascii=False)


def _names(tasks: pl.DataFrame, ids: _Ids) -> Iterator[str]:
    yield _event(name="process_name", ph="M", pid=ids.cpus, tid=ids.cpus, args={"name": "CPUs"})
    yield _event(name="process_sort_index", ph="M", pid=ids.cpus, tid=ids.cpus, args={"sort_index": -1})
    for cpu in ids.cpu_numbers:
        yield _event(name="thread_name", ph="M", pid=ids.cpus, tid=ids.cpus + 1 + cpu, args={"name": f"CPU {cpu}"})
    for row, tid, pid in zip(tasks.iter_rows(named=True), ids.tid, ids.pid, strict=True):
        known = {name: row[name] for name in _TASK_COLUMNS if row[name] is not None}
        if tid == pid:
            yield _event(name="process_name", ph="M", pid=pid, tid=tid, args={"name": row["name"]})
        yield _event(name="thread_name", ph="M", pid=pid, tid=tid,
                     args={"name": row["name"], "task_id": row["task_id"], **known})  # fmt: skip


def _text(*parts: str | pl.Expr) -> pl.Expr:
    """The parts after each other: texts as they are, columns as text."""
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part.cast(pl.String) for part in parts])


def _us(ns: str) -> pl.Expr:
    """Nanoseconds as the text of microseconds, digit for digit."""
    return _text(pl.col(ns) // 1000, ".", (pl.col(ns) % 1000).cast(pl.String).str.zfill(3))


def _args(columns: tuple[str, ...], words: tuple[str, ...]) -> pl.Expr:
    """The members of args that are known: numbers and flags as they are, words in quotes."""
    known = [_text(f'"{name}":', pl.col(name)) for name in columns]
    known += [_text(f'"{name}":"', pl.col(name), '"') for name in words]
    return pl.concat_str(known, separator=",", ignore_nulls=True)


def _lines(frame: pl.DataFrame, *parts: str | pl.Expr) -> Iterator[str]:
    for start in range(0, frame.height, _BATCH):
        yield from frame[start : start + _BATCH].select(_text(*parts).alias("line"))["line"]


def _slices(bundle: Trace | Run, ids: _Ids) -> Iterator[Iterator[str]]:
    """Rows of CPUs, then rows of tasks."""
    names = pl.Series([json.dumps(name, ensure_ascii=False) for name in bundle.tables["tasks"]["name"].to_pylist()])
    frame = bundle.frame("intervals")
    frame = frame.with_columns(
        pid=ids.pid.gather(frame["task_id"]),
        tid=ids.tid.gather(frame["task_id"]),
        dur=pl.col("end_ns") - pl.col("start_ns"),
        inferred=pl.when("inferred").then(pl.lit("true")),
    )
    time = (',"ph":"X","ts":', _us("start_ns"), ',"dur":', _us("dur"))
    running = frame.filter((pl.col("state") == "RUNNING") & pl.col("cpu").is_not_null())
    yield _lines(
        running.with_columns(name=names.gather(running["task_id"]), row=pl.col("cpu").cast(pl.Int64) + ids.cpus + 1),
        '{"name":', pl.col("name"), ',"cat":"cpu"', *time, f',"pid":{ids.cpus},"tid":', pl.col("row"),
        ',"args":{"tid":', pl.col("tid"), "}}",
    )  # fmt: skip
    yield _lines(
        frame, '{"name":"', pl.col("state"), '","cat":"state"', *time, ',"pid":', pl.col("pid"), ',"tid":',
        pl.col("tid"), ',"args":{', _args(("cpu", "thread_id", "inferred"), ("reason",)), "}}",
    )  # fmt: skip


def _wakeups(bundle: Trace | Run, ids: _Ids) -> Iterator[Iterator[str]]:
    """In their order: a flow where a task woke another, an instant where none did."""
    frame = bundle.frame("wakeups").with_row_index("id")
    if not frame.height:
        return
    waker = frame["waker_id"].fill_null(frame["wakee_id"])
    frame = frame.with_columns(
        from_pid=ids.pid.gather(waker), from_tid=ids.tid.gather(waker),
        to_pid=ids.pid.gather(frame["wakee_id"]), to_tid=ids.tid.gather(frame["wakee_id"]),
        phase=pl.when(pl.col("waker_id").is_null()).then(pl.lit('i","s":"t')).otherwise(pl.lit("s")),
    )  # fmt: skip
    both: tuple[str | pl.Expr, ...] = ('"cat":"wakeup","ts":', _us("at_ns"), ',"id":', pl.col("id"))
    yield _lines(
        frame, '{"name":"wakeup","ph":"', pl.col("phase"), '",', *both, ',"pid":', pl.col("from_pid"), ',"tid":',
        pl.col("from_tid"), ',"args":{', _args(("cpu", "target_cpu"), ("reason",)), "}}",
    )  # fmt: skip
    yield _lines(
        frame.filter(pl.col("waker_id").is_not_null()), '{"name":"wakeup","ph":"f","bp":"e",', *both, ',"pid":',
        pl.col("to_pid"), ',"tid":', pl.col("to_tid"), "}",
    )  # fmt: skip


def _gaps(bundle: Trace | Run, ids: _Ids) -> Iterator[str]:
    for row in bundle.frame("gaps").iter_rows(named=True):
        us = f"{row['start_ns'] // 1000}.{row['start_ns'] % 1000:03d}"
        fixed = _event(name=f"gap: {row['cause']}", cat="gap", ph="i", s="g", pid=ids.cpus, tid=ids.cpus, args=row)
        yield f'{fixed[:-1]}, "ts": {us}}}'
