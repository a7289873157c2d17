"""What is predicted and measured, and how far apart the two may be: declared once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """One thing to compare. `median` and `p90` are the bars on the error of all cells, None where there is none."""

    name: str
    title: str
    unit: str
    median: float | None = None
    p90: float | None = None


_ALL = (
    Quantity("makespan", "makespan", "ns", 0.05, 0.10),
    Quantity("throughput", "throughput", "1/s", 0.05, 0.10),
    Quantity("cpu_time", "CPU time", "ns"),
    Quantity("context_switches", "context switches", "count", 0.10, 0.25),
    Quantity("peak_memory", "peak memory", "bytes", 0.10, 0.20),
    Quantity("wakeup_p50", "wakeup latency p50", "ns", 0.15),
    Quantity("wakeup_p99", "wakeup latency p99", "ns", 0.30),
)
QUANTITIES = {quantity.name: quantity for quantity in _ALL}

# Bars on predictions from a recording, by (recorded form, predicted form): of makespan, median and 90th percentile.
SELF_BAR = (0.01, 0.03)
KERNEL_BAR = (0.05, 0.10)  # process to thread and back
GO_BAR = (0.08, 0.15)  # thread or process to goroutine and back
ORDER_BAR = 0.95  # share of pairs of forms that stand in the right order
BATCHES_DIFFER = 0.05  # two batches of a cell whose medians are further apart tell nothing of the cell
MOST_INCONCLUSIVE = 0.2

# Switches and bytes too few to be a share of: a difference below these counts as none.
NEGLIGIBLE = {"context_switches": 20.0, "peak_memory": 256 * 1024.0}


def error_of(name: str, predicted: float, measured: float) -> float:
    """Predicted over measured, less one; 0 where the difference is negligible. What measures as nothing counts as the
    negligible amount."""
    if abs(predicted - measured) <= NEGLIGIBLE.get(name, 0.0):
        return 0.0
    return (predicted - measured) / (measured or NEGLIGIBLE.get(name, 1.0))


def recording_bar(recorded: str, predicted: str) -> tuple[float, float]:
    """The bar of a prediction of one form from a recording of another."""
    if recorded == predicted:
        return SELF_BAR
    return GO_BAR if "goroutine" in (recorded, predicted) else KERNEL_BAR
