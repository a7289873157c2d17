"""The table of the three forms, what a user needs, and the verdict that honours it."""

from __future__ import annotations

import polars as pl
import pytest

from tests.unit.test_metrics_measure import small_run
from tests.unit.test_report_figures import slower
from tracekit.api import replay
from tracekit.errors import UsageError
from tracekit.program.catalog import scenario_program
from tracekit.report.figures import FIGURES, comparison, forms_table, verdict
from tracekit.report.needs import NEEDS, broken, known_needs
from tracekit.report.view import View, build_view
from tracekit.vocabulary import FORMS


def view(*needs: str) -> View:
    """Goroutines are done first, threads take three times as long, processes four times."""
    factors = {"process": 4, "thread": 3, "goroutine": 1}
    runs = [slower(small_run(model=form, form=form), factors[form], model=form, form=form) for form in FORMS]
    return build_view(runs, None, None, "a title", known_needs(needs))


def test_every_form_has_a_fact_and_a_figure_in_every_row() -> None:
    rows = forms_table.compute(view())
    assert [row["title"] for row in rows] == [
        "memory", "isolation", "weight", "context switching", "management", "scheduling", "blocking", "failure impact",
        "synchronization",
    ]  # fmt: skip
    anchors = {figure.name for figure in FIGURES}
    for row in rows:
        assert list(row["cells"]) == list(FORMS)
        assert row["anchor"] in anchors
        assert all(fact and figure for fact, figure in row["cells"].values())


def test_a_form_that_breaks_a_need_is_out_and_the_price_is_shown() -> None:
    free, bound = verdict.compute(view()), verdict.compute(view("isolation"))
    assert free["best"] == ["goroutine"]
    assert free["out"] == {}
    assert bound["best"] == ["process"]
    assert bound["out"] == {"thread": ("isolation",), "goroutine": ("isolation",)}
    assert "the price of that is" in bound["sentence"]
    assert "against goroutines (×4)" in bound["sentence"]


def test_a_need_that_the_best_form_meets_costs_nothing() -> None:
    found = verdict.compute(view("shared_memory"))
    assert found["best"] == ["goroutine"]
    assert "the price" not in found["sentence"]


def test_needs_that_no_form_meets_leave_none() -> None:
    found = verdict.compute(view("isolation,shared_memory"))
    assert found["best"] == []
    assert "no form" in found["sentence"].lower()


def test_every_need_rules_some_form_out_and_leaves_one() -> None:
    for need in NEEDS:
        assert 0 < sum(bool(broken(form, [need])) for form in FORMS) < len(FORMS)


def test_an_unknown_need_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"unknown need 'speed'; known: isolation, crash_containment"):
        known_needs(["isolation,speed"])


def test_a_form_that_ends_early_by_losing_work_is_not_the_faster_for_it() -> None:
    lost = {"tasks_ended": 2, "tasks_waiting": 0, "work_lost_ns": 5, "requests_lost": 3}
    early = slower(small_run(model="goroutine", form="goroutine"), 1, model="goroutine", form="goroutine", failure=lost)
    whole = slower(small_run(), 4)
    found = verdict.compute(build_view([whole, early], None, None, "a title"))
    assert found["best"] == ["process"]
    assert (
        "goroutines end before their work is done, with 2 of their 2 tasks cut off and 3 requests lost"
        in found["sentence"]
    )


def test_a_run_that_lost_work_is_best_at_nothing_but_losing_least() -> None:
    runs = replay(scenario_program("crash"), ["thread", "process"], cpus=2)
    cells = comparison.compute(build_view(runs, None, None, "a title"))
    best = cells.filter(pl.col("best"))
    assert set(best["group"]) == {"failure"}
    assert set(best["subject"]) == {"process"}
