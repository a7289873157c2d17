"""How fast a table of intervals is read, and beside polars reading and sorting the same file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import csv, parquet

from tests.bench.registry import Measurement, benchmark, seconds
from tracekit.sources.base import ReadOptions
from tracekit.sources.tables import SOURCE

ROWS = 2_000_000
_CPUS, _TASKS, _PIECE = 4, 64, 1 << 20
_ORDER = ("start_ns", "task_id")


def a_table(path: Path, rows: int = ROWS) -> Path:
    """Tasks that take turns on four CPUs, for times that are not alike, as Parquet or CSV."""
    chance = np.random.default_rng(1)
    make = csv.CSVWriter if path.suffix == ".csv" else parquet.ParquetWriter
    first = _piece(chance, 0)
    with make(path, first.schema) as writer:
        for at in range(0, rows, _PIECE):
            writer.write_table(_piece(chance, at) if at else first)
    return path


def _piece(chance: np.random.Generator, at: int) -> pa.Table:
    number = np.arange(at, at + _PIECE)
    turn = number // _CPUS
    start = turn * 20_000 + chance.integers(0, 10_000, _PIECE)
    task = number % _CPUS * (_TASKS // _CPUS) + turn % (_TASKS // _CPUS)
    end = turn * 20_000 + 10_000 + chance.integers(0, 10_000, _PIECE)
    columns = {"task_id": task, "start_ns": start, "end_ns": end, "cpu": number % _CPUS}
    return pa.table(columns | {"state": pa.array(["RUNNING"]).take(pa.array(np.zeros(_PIECE, np.int8)))})


@benchmark("tables", unit="rows/s", goal=5e5, reference="polars, reading and sorting only")
def tables() -> Measurement:
    """Rows a second of a Parquet file; half as many again are made where no task has one."""
    with tempfile.TemporaryDirectory() as folder:
        path = a_table(Path(folder) / "x.parquet")
        rows = SOURCE.read(path, ReadOptions()).meta["events"]
        ours = seconds(lambda: SOURCE.read(path, ReadOptions()), repeat=3)
        theirs = seconds(lambda: pl.read_parquet(path).sort(_ORDER), repeat=3)
    return Measurement(value=rows / ours, reference_value=rows / theirs)
