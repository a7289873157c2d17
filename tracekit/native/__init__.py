"""Programs executed for real: as processes and threads by a C runner, as goroutines by a Go runner."""
