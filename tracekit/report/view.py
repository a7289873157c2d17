"""What every figure sees: the runs and the recording, measured once, each with its label and colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl

from tracekit.analysis.history import History, history
from tracekit.metrics.activity import Activity, activity
from tracekit.metrics.compare import RECORDED, bundle_labels, side_by_side
from tracekit.metrics.fidelity import own_form_run, recorded_tasks, self_replay_error
from tracekit.metrics.measure import measure_activity
from tracekit.report.outlook import Outlook
from tracekit.report.palette import model_colours
from tracekit.tables.bundle import Program, Run, Trace

Ask = Callable[[str | None, float], Outlook]  # the form that is first, and the margin → what would change that


@dataclass(frozen=True)
class Subject:
    """One column of the report: a run, or the recording."""

    label: str
    colour: str
    bundle: Trace | Run
    seen: Activity
    metrics: pl.DataFrame

    @property
    def competes(self) -> bool:
        """Whether it is a model's answer; the recording, and the model that repeats it, are not."""
        return isinstance(self.bundle, Run) and self.bundle.meta.get("model") != RECORDED

    @property
    def completed(self) -> bool:
        """Whether the program came to its end."""
        return self.bundle.meta.get("outcome") in (None, "completed")

    @cached_property
    def history(self) -> History:
        """Its intervals as the analyses take them, of the tasks that count."""
        return history(self.bundle, self.seen.tasks["task_id"].to_list())

    @property
    def done(self) -> bool:
        """Whether all the work was done: a form that ends early by losing work is not the faster for it."""
        return self.completed and not self.value("tasks_cut_off")

    def value(self, metric: str, label: str = "") -> float | None:
        """One measured value; None where the tables do not tell."""
        found = self.metrics.filter((pl.col("metric") == metric) & (pl.col("label") == label))["value"]
        return float(found[0]) if len(found) else None


@dataclass(frozen=True)
class View:
    """Everything a report shows. `subjects` has the recording first, then the runs in the order given."""

    title: str
    subjects: tuple[Subject, ...]
    trace: Trace | None
    program: Program | None
    needs: tuple[str, ...] = ()  # report/needs.py; a form that breaks one is out
    ask: Ask | None = None  # what would change the verdict, if anybody can say

    @property
    def runs(self) -> tuple[Subject, ...]:
        """The subjects that are runs."""
        return tuple(s for s in self.subjects if isinstance(s.bundle, Run))

    @property
    def competing(self) -> tuple[Subject, ...]:
        """The runs that are a model's answer."""
        return tuple(s for s in self.subjects if s.competes)

    @cached_property
    def compared(self) -> pl.DataFrame:
        """All metrics side by side (`metrics.compare`)."""
        return side_by_side({s.label: s.metrics for s in self.subjects})

    @cached_property
    def end_ns(self) -> int:
        """The end of the shared time axis: the longest makespan, at least 1."""
        return max([1, *(int(s.value("makespan") or 0) for s in self.subjects)])

    @property
    def program_meta(self) -> dict[str, Any]:
        """What is known of the program: its own meta, or what the first run says of it."""
        if self.program is not None:
            return self.program.meta
        return next((dict(s.bundle.meta["program"]) for s in self.runs if s.bundle.meta.get("program")), {})

    def own_form(self) -> tuple[Subject, pl.DataFrame] | None:
        """The run in the recording's own form, and its error against the recording; None without either."""
        if self.trace is None:
            return None
        position = own_form_run(self.trace, [s.bundle for s in self.runs if isinstance(s.bundle, Run)])
        if position is None:
            return None
        subject = self.runs[position]
        return subject, self_replay_error(self.subjects[0].metrics, subject.metrics)


def build_view(
    runs: Sequence[Run],
    trace: Trace | None,
    program: Program | None,
    title: str | None,
    needs: tuple[str, ...] = (),
    ask: Ask | None = None,
) -> View:
    """Measure every bundle. The recording is restricted to the tasks that the runs replay."""
    bundles: list[Trace | Run] = [*([trace] if trace is not None else []), *runs]
    labels = bundle_labels(bundles)
    colours = model_colours(labels)
    subjects = []
    for label, bundle in zip(labels, bundles, strict=True):
        recording = isinstance(bundle, Trace) or bundle.meta.get("model") == RECORDED
        seen = activity(bundle, recorded_tasks(bundle, runs) if recording else None)
        subjects.append(Subject(label, colours[label], bundle, seen, measure_activity(seen)))
    view = View(title or "", tuple(subjects), trace, program, needs, ask)
    return view if title else replace(view, title=str(view.program_meta.get("name") or "tracekit report"))
