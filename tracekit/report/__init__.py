"""Metric and interval tables → one self-contained HTML page."""

from tracekit.report.page import render, write_report

__all__ = ["render", "write_report"]
