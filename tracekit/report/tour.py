"""The page of all scenarios: each claim, what a replay shows of it, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tracekit.metrics.catalog import METRICS
from tracekit.metrics.compare import format_value
from tracekit.report.claims import CLAIMS
from tracekit.report.figures.base import Drawing, Plot, bar_layout
from tracekit.report.judging import BOUND, FAILS, HOLDS, Claim, Compared, Figures, Judged, Judgement, judge
from tracekit.report.markup import folded, plot_text, table, text
from tracekit.report.page import Section, compose
from tracekit.report.palette import model_colours
from tracekit.report.wording import plural
from tracekit.tables.bundle import Run
from tracekit.units import format_bytes, format_duration, parse_bytes

_TITLES = {"ipc_or_shared": "Messages or shared memory", "fork_join": "Fork and join"}
_MARKS = {HOLDS: "✓", BOUND: "≈", FAILS: "✗"}
_LEAD = (
    "<p>A program that does several things at once can be made of <b>processes</b> (each with memory of its own, kept "
    "apart by the kernel), of <b>threads</b> (several lines of work in one process, sharing its memory, each scheduled "
    "by the kernel) or of <b>goroutines</b> (tasks of the Go language, which its runtime schedules itself on a few "
    "threads). What people say of the three is put to the test here, one sentence at a time.</p>"
    "<p>For each claim the same small program was <b>replayed</b>: a simulation gives every task its turn by the rules "
    "of the Linux scheduler and the Go runtime, and charges what each step costs by the measured figures of one "
    "machine. The numbers are therefore predictions, the same each time, and not measurements of the machine that this "
    "page was made on. A claim <b>holds</b> when all that it says comes out so, <b>holds with a bound</b> when half of it and "
    "more does, or less comes out than is said, and otherwise <b>does not hold on this machine</b>.</p>"
)


@dataclass(frozen=True)
class Shown:
    """A scenario as it was replayed: its own words, its runs by subject; where it has them, runs by value of the sweep,
    and values by title, way and form."""

    name: str
    claim: str
    look_for: str
    workload: str
    runs: Mapping[str, Run]
    swept: Mapping[str, Mapping[str, Run]]
    compared: Mapping[str, Mapping[str, Mapping[str, float]]]


def tour(shown: Sequence[Shown], extra: Sequence[Section] = ()) -> str:
    """The whole page as HTML."""
    parts = []
    rows = []
    for scenario in shown:
        figures = Figures(scenario.runs)
        judgement = judge(CLAIMS[scenario.name], figures)
        parts.append(_section(scenario, CLAIMS[scenario.name], figures, judgement))
        rows.append((scenario, judgement))
    first = Section("summary", "What is said, and what holds", "Click a claim to see its figures.", _summary(rows))
    meta = next(iter(shown[0].runs.values())).meta
    host = (meta.get("profile") or {}).get("host") or {}
    where = f"{max(_cpus(each) for each in shown)} CPUs, costs as measured on: {host.get('cpu', 'an unnamed machine')}"
    return compose("Processes, threads, goroutines: what is true of what is said", where, [first, *parts, *extra])


def _cpus(shown: Shown) -> int:
    return max(int(run.meta["cpus"]) for run in shown.runs.values())


def _summary(rows: Sequence[tuple[Shown, Judgement]]) -> Drawing:
    counts = ", ".join(
        f"{sum(j.verdict == verdict for _, j in rows)} {verdict if verdict != HOLDS else 'hold'}"
        for verdict in (HOLDS, BOUND, FAILS)
    ).replace("holds with", "hold with").replace("does not hold", "do not hold")  # fmt: skip
    cells = [
        [f'<a href="#{s.name}">{text(s.claim)}</a>', f"{_MARKS[j.verdict]} {text(j.verdict)}"] for s, j in rows
    ]  # fmt: skip
    lead = f'{_LEAD}<p class="verdict">Of {len(rows)} claims, {text(counts)}.</p>'
    return Drawing(lead + _claims_table(cells))


def _claims_table(cells: list[list[str]]) -> str:
    body = "".join(
        f'<tr><td class="prose">{claim}</td><td class="short">{verdict}</td></tr>' for claim, verdict in cells
    )
    return (
        '<div class="scroll"><table><thead><tr><th scope="col">the claim</th><th scope="col">verdict</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _section(shown: Shown, claim: Claim, figures: Figures, judgement: Judgement) -> Section:
    plots = [_bars(title, metric, figures) for title, metric in claim.bars]
    plots += [_ways(each, shown.compared[each.title]) for each in claim.compared]
    about = shown.workload.partition("\n")[0].lstrip("# ")
    lead = (
        f"<p>The program: {text(about)}{' Here on one CPU.' if _cpus(shown) == 1 else ''}</p>"
        f'<p class="verdict">{_MARKS[judgement.verdict]} {text(_said(judgement))}</p>'
        f"<p>{_with_code(claim.why)}</p>"
    )
    if claim.sweep:
        plots.append(_curve(claim.sweep[0], shown.swept))
        lead += f"<p>{text(_crossing(shown.swept))}</p>"
    html = table(["what has to be so", "found", "needed"], [_row(part) for part in judgement.parts], prose=(1,))
    html += (
        f"<p>To see more: <code>tracekit replay {text(shown.name)}</code>; look for {_with_code(shown.look_for)}.</p>"
    )
    html += folded("The program, as a workload file", f"<pre>{text(shown.workload)}</pre>")
    return Section(
        shown.name,
        _TITLES.get(shown.name, shown.name.replace("_", " ").capitalize()),
        shown.claim,
        Drawing(html, plots, lead=lead),
    )


def _row(judged: Judged) -> list[str]:
    mark = "✓" if judged.holds else "≈" if judged.short else "✗"
    return [f"{mark} {text(judged.part.says)}", text(judged.found), text(judged.needs)]


def _with_code(said: str) -> str:
    """Words between backticks as code."""
    return "".join(f"<code>{text(part)}</code>" if i % 2 else text(part) for i, part in enumerate(said.split("`")))


def _said(judgement: Judgement) -> str:
    """The verdict, and what of the claim did not come out so."""
    broken = [part.part.says for part in judgement.parts if not (part.holds or part.short)]
    short = [part.part.says for part in judgement.parts if part.short]
    told = [f"it is not so that {'; nor that '.join(broken)}"] if broken else []
    told += [f"true in direction but not in size is that {'; and that '.join(short)}"] if short else []
    return judgement.verdict.capitalize() + (f": {'; '.join(told)}" if told else "") + "."


def _bars(title: str, metric: str, figures: Figures) -> Plot:
    subjects = list(figures.runs)
    values = [figures.value(subject, metric) for subject in subjects]
    shown = [format_value(*value) for value in values]
    colours = model_colours(subjects)
    bars = {
        "type": "bar", "orientation": "h", "y": [plot_text(subject) for subject in subjects],
        "x": [value for value, _ in values], "marker": {"color": [colours[s] for s in subjects]}, **_labels(shown),
        "hovertemplate": "%{y}: %{text}<extra></extra>",
    }  # fmt: skip
    summary = f"{title}: " + ", ".join(f"{s} {t}" for s, t in zip(subjects, shown, strict=True))
    return Plot([bars], bar_layout(title, xaxis=_axis(value for value, _ in values), height=220), summary)


def _labels(shown: list[str]) -> dict[str, object]:
    """Values beside their bars, where they are read on any colour."""
    return {"text": shown, "textposition": "outside", "cliponaxis": False, "textfont": {"size": 12}}


def _axis(values: Iterable[float]) -> dict[str, object]:
    """From zero, with room for the labels; the labels say what an axis would."""
    return {"range": [0, 1.25 * (max(values) or 1)], "showticklabels": False, "showgrid": False, "zeroline": True}


def _ways(compared: Compared, by_way: Mapping[str, Mapping[str, float]]) -> Plot:
    """Grouped bars: the metric by form, a group for each way."""
    forms = list(next(iter(by_way.values())))
    colours = model_colours(forms)
    unit = METRICS[compared.metric].unit if compared.metric in METRICS else "count"
    data = []
    for form in forms:
        each = [values[form] for values in by_way.values()]
        data.append({
            "type": "bar", "orientation": "h", "name": plural(form), "y": list(by_way), "x": each,
            "marker": {"color": colours[form]}, **_labels([format_value(value, unit) for value in each]),
            "hovertemplate": "%{y}, %{fullData.name}: %{text}<extra></extra>",
        })  # fmt: skip
    axis = _axis(value for values in by_way.values() for value in values.values())
    layout = bar_layout(compared.title, xaxis=axis, height=120 + 70 * len(by_way), showlegend=True)
    return Plot(data, layout | {"legend": {"orientation": "h", "traceorder": "normal"}}, compared.title)


def _per_message(runs: Mapping[str, Run]) -> dict[str, float]:
    figures = Figures(runs)
    return {form: 1e9 / figures.value(form, "messages_per_s")[0] for form in runs}


def _curve(name: str, swept: Mapping[str, Mapping[str, Run]]) -> Plot:
    sizes = [parse_bytes(value) for value in swept]
    times = [_per_message(runs) for runs in swept.values()]
    forms = list(times[0])
    colours = model_colours(forms)
    data = [
        {"type": "scatter", "mode": "lines+markers", "name": plural(form), "x": sizes,
         "y": [round(t[form] / 1000, 4) for t in times], "line": {"color": colours[form], "width": 2},
         "customdata": [[format_bytes(size), format_duration(t[form])] for size, t in zip(sizes, times, strict=True)],
         "hovertemplate": "%{fullData.name}, %{customdata[0]}: %{customdata[1]}<extra></extra>"}
        for form in forms
    ]  # fmt: skip
    ticks = {"tickvals": sizes, "ticktext": [_size(size) for size in swept]}
    layout = {
        "title": {"text": f"time per message by its {name}", "font": {"size": 14}, "x": 0, "xanchor": "left"},
        "height": 380, "margin": {"l": 10, "r": 20, "t": 40, "b": 90},
        "xaxis": {"type": "log", "title": {"text": "size of a message"}, **ticks},
        "yaxis": {"type": "log", "title": {"text": "µs per message"}, "automargin": True},
        "legend": {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"}, "showlegend": True,
    }  # fmt: skip
    return Plot(data, layout, f"time per message by {name}, for each form")


def _size(written: str) -> str:
    """`64KiB` → `64 KiB`."""
    return format_bytes(parse_bytes(written)).replace(".00", "").replace(".0", "")


def _crossing(swept: Mapping[str, Mapping[str, Run]]) -> str:
    times = {size: _per_message(runs) for size, runs in swept.items()}
    first = next((size for size, t in times.items() if t["process"] >= 2 * t["thread"]), None)
    (small, at_small), *_, (large, at_large) = times.items()
    told = (
        f"At {_size(small)} a message costs {format_duration(at_small['process'])} between processes, "
        f"{format_duration(at_small['thread'])} between threads and {format_duration(at_small['goroutine'])} between "
        f"goroutines; at {_size(large)} it is {format_duration(at_large['process'])}, {format_duration(at_large['thread'])} and "
        f"{format_duration(at_large['goroutine'])}. "
    )
    return told + (f"From {_size(first)} on processes cost more than twice what threads cost." if first else "")
