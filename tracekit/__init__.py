"""tracekit: replay a recorded program as processes, as threads and as goroutines.

The functions of `tracekit.api` are here by name. They are imported when first used: `import tracekit` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracekit.api import compare, extract, ingest, load, measure, replay, save, synth, write_report

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "extract", "ingest", "load", "measure", "replay", "save", "synth", "write_report"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("tracekit.api"), name)
    raise AttributeError(f"module 'tracekit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
