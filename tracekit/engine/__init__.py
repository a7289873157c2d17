"""The engine: one discrete-event loop, compiled by numba, that replays a program under a model."""
