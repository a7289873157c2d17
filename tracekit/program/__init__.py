"""Traces and workload files become programs."""
