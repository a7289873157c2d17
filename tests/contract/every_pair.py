"""Replays a small program under every runtime on every kernel policy and prints what came of it, as JSON. It is run
without the JIT: compiling every pair would take minutes, and says nothing more about the rules."""

from __future__ import annotations

import json

from tests.checker import check
from tests.contract.work import LIFO, RUNTIMES, TURNS, WORK
from tests.programs import free_profile, program
from tracekit.engine.replay import replay
from tracekit.models.catalog import KERNELS, find_model
from tracekit.tables.bundle import Run
from tracekit.tables.checks import ensure

MS = 1_000_000


def _kept(run: Run) -> dict[str, object]:
    ensure(run)
    check(run, WORK)
    unfinished = run.frame("tasks")["end_ns"].null_count()
    return {name: run.meta[name] for name in ("runtime", "kernel_policy", "outcome")} | {"unfinished": unfinished}


def _pairs() -> list[dict[str, object]]:
    runs = [replay(WORK, name, cpus=2, kernel=kernel) for name in RUNTIMES.values() for kernel in KERNELS]
    return [_kept(run) for run in [*runs, replay(WORK, TURNS, cpus=2), replay(WORK, LIFO, cpus=2)]]


def _turns_are_round_robin() -> bool:
    work, free = program({name: [("compute", 16 * MS)] for name in "abc"}), free_profile()
    ours = replay(work, TURNS, cpus=1, profile=free, parameters={"turns.slice_ns": 4 * MS})
    theirs = replay(work, "thread", cpus=1, profile=free, kernel="round_robin",
                    parameters={"round_robin.slice_ns": 4 * MS})  # fmt: skip
    return bool(ours.tables["intervals"].equals(theirs.tables["intervals"]))


if __name__ == "__main__":
    names = [find_model(TURNS).name, find_model(LIFO).name]
    print(json.dumps({"pairs": _pairs(), "outside": names, "same_turns": _turns_are_round_robin()}))
