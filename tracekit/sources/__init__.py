"""Bytes of one foreign format become a Trace. Formats are found by content; none imports another."""
