"""The report's parts, in the order of the page. To add one, write a file with a `FIGURE` and name it here."""

from __future__ import annotations

from typing import Any

from tracekit.report.figures import (
    blame,
    collection,
    comparison,
    critical_path,
    failure,
    forms_table,
    header,
    holes,
    leaks,
    memory,
    outcome,
    overhead,
    queues,
    races,
    tasks,
    throughput,
    timeline,
    trust,
    verdict,
    wakeup_latency,
)
from tracekit.report.figures.base import Figure

FIGURES: tuple[Figure[Any], ...] = (
    verdict.FIGURE,
    header.FIGURE,
    comparison.FIGURE,
    forms_table.FIGURE,
    throughput.FIGURE,
    overhead.FIGURE,
    wakeup_latency.FIGURE,
    timeline.FIGURE,
    critical_path.FIGURE,
    blame.FIGURE,
    queues.FIGURE,
    tasks.FIGURE,
    memory.FIGURE,
    failure.FIGURE,
    races.FIGURE,
    leaks.FIGURE,
    collection.FIGURE,
    trust.FIGURE,
    outcome.FIGURE,
    holes.FIGURE,
)
