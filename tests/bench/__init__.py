"""Benchmarks: `python -m tests.bench`. One module per part; `registry` says what a benchmark is."""
