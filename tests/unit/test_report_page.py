"""The page as a whole: complete, self-contained, stable, safe against names, and written all or not at all."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import plotly.graph_objects as go
import pytest

from tests.browser import synthetic
from tests.unit.test_metrics_measure import small_run, small_trace
from tracekit.analysis.catalog import ANALYSES
from tracekit.errors import TracekitError, UsageError
from tracekit.report import render, write_report
from tracekit.report.figures import FIGURES
from tracekit.tables.build import empty
from tracekit.tables.bundle import Run

NAMES = [figure.name for figure in FIGURES]


@pytest.fixture(scope="module")
def page() -> str:
    return render(
        synthetic.runs(), trace=synthetic.trace(), program=synthetic.program(), title='A "title" with </title><script>'
    )


class Seen(HTMLParser):
    """Collects tags, ids and the attributes that could fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.fetches: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "srcset", "data", "poster") or (name == "href" and not str(value).startswith("#")):
                self.fetches.append(str(value))


def test_every_figure_has_its_section_once(page: str) -> None:
    seen = Seen()
    seen.feed(page)
    assert [i for i in seen.ids if i in NAMES] == NAMES
    assert len(seen.ids) == len(set(seen.ids))
    assert all(f'href="#{name}"' in page for name in NAMES)


def test_every_link_leads_to_a_part_of_the_page(page: str) -> None:
    seen = Seen()
    seen.feed(page)
    links = set(re.findall(r'href="#([^"]*)"', page))
    assert links >= set(NAMES)
    assert links <= set(seen.ids)


def test_every_analysis_has_its_section() -> None:
    assert set(ANALYSES) <= set(NAMES)


def test_page_fetches_nothing_and_stays_small(page: str) -> None:
    seen = Seen()
    seen.feed(page)
    assert seen.fetches == []
    assert "link" not in seen.tags
    assert "@import" not in page.split("</style>")[0]
    assert "default-src 'none'" in page
    assert len(page.encode()) < 6_000_000


def test_the_largest_page_is_under_six_megabytes() -> None:
    runs = synthetic.runs(tasks=60, steps=60)
    assert len(render(runs, trace=synthetic.trace(60, 60), title="large").encode()) < 6_000_000


def test_same_input_same_bytes(page: str) -> None:
    again = render(
        synthetic.runs(), trace=synthetic.trace(), program=synthetic.program(), title='A "title" with </title><script>'
    )
    assert again == page


def test_names_are_text_everywhere(page: str) -> None:
    assert "<script>alert" not in page
    assert "A &quot;title&quot; with &lt;/title&gt;&lt;script&gt;" in page
    assert "a &lt;made-up&gt; program" in page


def test_every_plot_is_valid_plotly(page: str) -> None:
    plots = re.findall(r'<script type="application/json" data-plot="([^"]+)">(.*?)</script>', page, re.DOTALL)
    # throughput: tasks, messages; overhead: time, share; latency; timeline; path; blame; queues: four; memory: two
    assert len(plots) == 14
    for _, text in plots:
        figure = json.loads(text)
        go.Figure(data=figure["data"], layout=figure["layout"])  # raises ValueError for an unknown property


def test_title_is_the_programs_name_by_default() -> None:
    assert "<h1>a &lt;made-up&gt; program</h1>" in render([synthetic.run("thread")])


def test_the_recorded_run_alone_is_no_replay() -> None:
    page = render([small_run(model="recorded")], trace=small_trace(), title="t")
    assert "one program, as it was recorded" in page
    assert "No form was replayed that could be judged" in page


def test_a_run_with_next_to_nothing_in_it_still_makes_a_page() -> None:
    tables = {name: empty(name) for name in small_run().tables}
    page = render([Run(tables, {"model": "process"})], title="empty")
    assert "The tables hold nothing to measure" in page
    assert "No form was replayed that could be judged" in page


def test_no_runs_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="at least one run"):
        render([], title="none")


def test_write_report_leaves_only_the_report(tmp_path: Path) -> None:
    path = write_report([small_run()], tmp_path / "new" / "report.html", title="t")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_write_report_says_where_it_cant_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TracekitError, match=r"file/report\.html: can't write the report .*; choose a folder"):
        write_report([small_run()], tmp_path / "file" / "report.html", title="t")
    (tmp_path / "report.html").mkdir()
    with pytest.raises(TracekitError, match="can't write the report"):
        write_report([small_run()], tmp_path / "report.html", title="t")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "report.html"]
