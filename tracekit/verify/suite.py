"""The standing suite: scenarios at several sizes, saturated and mostly idle, on one CPU and on two."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One workload of the suite: a scenario with parameters, on so many CPUs."""

    scenario: str
    parameters: tuple[tuple[str, int | str], ...]
    cpus: int

    @property
    def name(self) -> str:
        """`scenario name=value …`."""
        return " ".join((self.scenario, *(f"{name}={value}" for name, value in self.parameters)))


def _entry(scenario: str, cpus: int, /, **parameters: int | str) -> Entry:
    return Entry(scenario, tuple(parameters.items()), cpus)


SUITE = (
    _entry("fork_join", 1, rounds=2, width=200),
    _entry("fork_join", 2, rounds=2, width=200),
    _entry("fork_join", 2, rounds=10, width=8, work="2ms"),
    _entry("fork_join", 1, rounds=10, width=8, work="1ms"),
    _entry("fork_join", 2, rounds=40, width=20, work="50us"),
    _entry("mutex", 1, workers=8, rounds=500),
    _entry("mutex", 2, workers=8, rounds=500),
    _entry("mutex", 2, workers=2, rounds=4000, work="10us", hold="1us"),
    _entry("mutex", 2, workers=50, rounds=60, work="20us", hold="20us"),
    _entry("mutex", 1, workers=50, rounds=100),
    _entry("pipeline", 1, stages=6, messages=2000),
    _entry("pipeline", 2, stages=6, messages=2000),
    _entry("pipeline", 2, stages=2, messages=5000, work="5us", depth=16),
    _entry("pipeline", 2, stages=4, messages=1000, work="20us", depth=1),
    _entry("pipeline", 1, stages=4, messages=1000, work="20us", depth=1),
    _entry("pipeline", 2, stages=3, messages=1000, work="2us", size="16KiB", depth=4),
    _entry("server", 1, connections=50, requests=20, think="5ms", work="50us"),
    _entry("server", 2, connections=50, requests=20, think="5ms", work="50us"),
    _entry("server", 2, connections=500, requests=5, think="20ms", work="30us"),
    _entry("server", 2, connections=200, requests=10, think="10ms", work="100us"),
    _entry("server", 1, connections=200, requests=10, think="10ms", work="100us"),
    _entry("server", 2, connections=10, requests=50, think="2ms", work="20us"),
    _entry("spawn_storm", 1, tasks=500),
    _entry("spawn_storm", 2, tasks=500),
    _entry("spawn_storm", 2, tasks=2000, work="5us"),
    _entry("blocking_syscalls", 1, callers=20, calls=20),
    _entry("blocking_syscalls", 2, callers=20, calls=20),
    _entry("blocking_syscalls", 2, callers=4, calls=50, call="1ms", computers=2),
    _entry("blocking_syscalls", 2, callers=100, calls=10, computers=4),
    _entry("blocking_syscalls", 1, callers=2, calls=50, call="200us", computers=1),
    _entry("mutex", 1, workers=2, rounds=4000, work="10us", hold="1us"),
    _entry("fork_join", 2, rounds=1, width=16, work="10ms"),
)
