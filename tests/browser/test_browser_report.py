"""The report in a real browser: nothing is fetched, nothing fails, every figure is drawn, in both themes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import synthetic
from tracekit.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

WIDE = {"width": 1300, "height": 900}

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium on PATH")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    bundles = {"trace": synthetic.trace(), "program": synthetic.program()}
    return write_report(synthetic.runs(), path, title="<i>made up</i>", **bundles)


class Opened:
    """A page, and what happened while it loaded."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page = browser.new_page(**options)
        self.page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.messages.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.messages.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.locator("figure.plot:not(:has(svg))").first.wait_for(state="detached")


@pytest.fixture(scope="module")
def opened(browser: Any, report: Path) -> Iterator[Opened]:
    """The report, opened once; a test leaves it light and wide."""
    page = Opened(browser, report, color_scheme="light", viewport=WIDE)
    yield page
    page.page.close()


def drawn_marks(opened: Opened) -> list[int]:
    return list(
        opened.page.evaluate(
            "Array.from(document.querySelectorAll('figure.plot'), f => f.querySelectorAll('svg .trace, svg .point').length)"
        )
    )


def test_everything_is_drawn_offline_and_in_silence(opened: Opened, report: Path) -> None:
    marks = drawn_marks(opened)
    assert len(marks) == 14
    assert all(marks)
    assert opened.messages == []
    assert opened.requests == [report.as_uri()]


def test_plots_follow_the_theme(opened: Opened) -> None:
    tick = opened.page.locator("#timeline-plot-0 .xtick text").first
    light = tick.get_attribute("style")
    opened.page.emulate_media(color_scheme="dark")
    # The page's own listener redraws; the frame after it has run shows the new colours.
    opened.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert tick.get_attribute("style") != light
    assert all(drawn_marks(opened))
    opened.page.emulate_media(color_scheme="light")
    assert opened.messages == []


def test_a_task_name_is_shown_literally(opened: Opened) -> None:
    opened.page.locator("#timeline").scroll_into_view_if_needed()
    opened.page.evaluate(
        "Plotly.Fx.hover('timeline-plot-0', [{curveNumber: 1, pointNumber:"
        " document.getElementById('timeline-plot-0').data[1].customdata.findIndex(c => c[0].includes('alert'))}])"
    )
    label = opened.page.locator("#timeline-plot-0 .hoverlayer")
    assert "<script>alert(1)</script><b>%{x}" in label.text_content()
    assert opened.page.title() == "<i>made up</i>"
    assert opened.messages == []


def test_a_narrow_page_does_not_scroll_sideways(opened: Opened) -> None:
    opened.page.set_viewport_size({"width": 390, "height": 800})
    opened.page.evaluate("new Promise(done => setTimeout(done, 300))")  # plotly resizes after the window has settled
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
    opened.page.set_viewport_size(WIDE)


def test_a_downsampled_timeline_says_so(browser: Any, tmp_path: Path) -> None:
    path = write_report(synthetic.runs(tasks=20, steps=80), tmp_path / "long.html", title="long")
    opened = Opened(browser, path)
    assert "Downsampled" in opened.page.locator("#timeline .note").inner_text()
    assert opened.page.locator("#timeline .point").count() > 1_000
    assert opened.messages == []
    opened.page.close()
