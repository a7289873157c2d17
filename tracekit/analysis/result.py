"""What every analysis gives: facts, tables, and one line for each thing that the bundle does not hold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from tracekit.tables.bundle import Run, Trace


@dataclass(frozen=True)
class Table:
    """One table of a result: what it shows in plain words, and its rows, the most important first.

    Columns say their unit: `_ns`, `_bytes`, `_share`; all others are counts, ids or words. `marks` gives each row
    the task_ids that it is about, so that one task's rows can be chosen.
    """

    title: str
    rows: pl.DataFrame
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """The answer to one `what`. `missing` says in a line each what the bundle lacks, `notes` how to read the rest."""

    what: str
    facts: dict[str, Any]
    tables: dict[str, Table]
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def of_tasks(self, tasks: Collection[int]) -> Analysis:
        """The same with only those rows that are about one of the tasks."""
        chosen = {name: Table(t.title, _about(t, list(tasks)), t.marks) for name, t in self.tables.items()}
        return Analysis(self.what, self.facts, chosen, self.missing, self.notes)


def _about(table: Table, tasks: list[int]) -> pl.DataFrame:
    if not table.marks:
        return table.rows
    return table.rows.filter(pl.any_horizontal(pl.col(name).is_in(tasks).fill_null(False) for name in table.marks))


def labels(bundle: Trace | Run) -> pl.DataFrame:
    """task_id, label: a task's name, and its id in the recording (in a run: its number) where the name is shared."""
    tasks = bundle.frame("tasks").select("task_id", "name", number=pl.col("source_id").fill_null(pl.col("task_id")))
    name = pl.col("name").fill_null("?")
    numbered = pl.format("{} [{}]", name, "number")
    return tasks.select("task_id", label=pl.when(pl.len().over("name") > 1).then(numbered).otherwise(name))


def labelled(rows: pl.DataFrame, known: pl.DataFrame, column: str, name: str) -> pl.DataFrame:
    """The rows with a further column `name`: the label of the task that `column` names."""
    return rows.join(known.rename({"task_id": column, "label": name}), on=column, how="left", maintain_order="left")
