"""The data step of the report's analysis figures, and that their pages stay small."""

from __future__ import annotations

import re

import polars as pl
import pytest

from tests.programs import program
from tests.unit.test_analysis_small import trace
from tests.unit.test_metrics_measure import small_run
from tracekit.api import replay
from tracekit.program.catalog import scenario_program
from tracekit.report.figures import blame, critical_path, failure, leaks, queues, races, tasks
from tracekit.report.figures.base import Drawing
from tracekit.report.markup import script_json
from tracekit.report.view import View, build_view

MOST_BYTES = 500_000


@pytest.fixture(scope="module")
def view() -> View:
    return build_view([small_run()], trace(), None, "a title")


def size_of(drawing: Drawing) -> int:
    return len(drawing.html) + sum(len(script_json({"data": p.data, "layout": p.layout})) for p in drawing.plots)


def test_the_path_of_each_subject_fills_its_time(view: View) -> None:
    found = critical_path.compute(view)
    sums = dict(found.kinds.group_by("subject").agg(pl.col("time_ns").sum()).iter_rows())
    assert sums == {"recording": 190, "process": 200}
    first = found.tasks.row(0, named=True)
    assert (first["subject"], first["task"], first["path_ns"]) == ("recording", "task D", 120)
    assert size_of(critical_path.FIGURE.make(view)) < MOST_BYTES


def test_waits_by_what_was_waited_for(view: View) -> None:
    found = blame.compute(view)
    recording = found.totals.filter(pl.col("subject") == "recording").select("why", "time_ns").rows()
    assert recording == [("channel_recv", 50), ("in a run queue", 80), ("sleep", 80)]
    worst = found.pairs.row(0, named=True)
    assert (worst["waiter"], worst["other"], worst["kind"], worst["time_ns"]) == (
        "task C",
        "task A",
        "ran meanwhile",
        40,
    )
    assert size_of(blame.FIGURE.make(view)) < MOST_BYTES


def test_queues_over_time(view: View) -> None:
    found = queues.compute(view)
    assert set(found["subject"]) == {"recording", "process"}
    running = found.filter((pl.col("subject") == "recording") & (pl.col("what") == "running"))
    assert int(running["mean"].sum()) == 290  # bins of 1 ns: the RUNNING time of A, B and C
    assert size_of(queues.FIGURE.make(view)) < MOST_BYTES


def test_a_name_from_a_recording_is_never_markup(view: View) -> None:
    evil = trace()
    names = pl.Series(["<script>x</script>"] * 4)
    tasks = evil.frame("tasks").with_columns(name=names)
    evil.tables["tasks"] = evil.tables["tasks"].set_column(1, evil.tables["tasks"].schema.field("name"), tasks["name"].to_arrow().cast("string"))  # fmt: skip
    hostile = build_view([small_run()], evil, None, "a title")
    for figure in (critical_path.FIGURE, blame.FIGURE, queues.FIGURE):
        assert "<script>" not in figure.make(hostile).html


def test_an_analysis_tells_what_it_knows_and_what_is_missing(view: View) -> None:
    html = tasks.FIGURE.make(view).html
    assert "recording" in html and "process" in html
    assert html.count("<details>") == 2
    html = races.FIGURE.make(view).html
    assert "<table>" not in html
    assert "recording: A recording has no accesses to variables" in html
    assert "process: The run has no read, write or atomic steps" in html


def test_a_crash_takes_one_process_or_all_that_share_its_address_space() -> None:
    work = scenario_program("crash")
    html = failure.FIGURE.make(build_view(replay(work, cpus=2), None, work, None)).html
    rows = {row[0]: row[1:] for row in cells(html)}
    assert rows["process"] == ["17", "1 of 17 tasks", "1", "0", "1.00 ms", "20"]
    assert rows["thread"][:4] == rows["goroutine"][:4] == ["1", "17 of 17 tasks", "17", "0"]


def cells(html: str) -> list[list[str]]:
    """The text of each cell of the first table's body."""
    body = html.split("<tbody>")[1].split("</tbody>")[0]
    return [re.findall(r">([^<>]+)</t[hd]>", row) for row in body.split("</tr>") if row]


def test_who_deadlocks_and_on_what_is_named() -> None:
    made = program({"left": [("recv", "a")], "right": [("recv", "a")]}, {"a": ("channel", 0)})
    html = leaks.FIGURE.make(build_view(replay(made, ["goroutine"]), None, None, None)).html
    assert "deadlock" in html and "channel recv" in html
    assert "left" in html and "right" in html
