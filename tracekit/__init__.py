"""tracekit: replay a recorded program as processes, as threads and as goroutines."""

__version__ = "0.1.0"
