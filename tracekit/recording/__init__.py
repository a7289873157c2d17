"""Making recordings: of a command with perf, and of a running Go service over HTTP."""
