"""What the contract is tested with: a program that uses most kinds of steps, and the models from outside."""

from __future__ import annotations

from tests.programs import program
from tracekit.models.catalog import catalog

MS = 1_000_000
LIFO = "tests.contract.lifo:MODEL"
TURNS = "tests.contract.third_party.tracekit_turns:MODEL"
# each runtime once, under the model that brings it
RUNTIMES = {model.runtime.name: name for name, model in catalog().items()}
WORK = program(
    {
        "main": [
            ("spawn", "a"),
            ("spawn", "b"),
            ("compute", 5 * MS),
            ("recv", "c"),
            ("close", "d"),
            ("join", "a"),
            ("join", "b"),
        ],
        "a": [("lock", "m"), ("compute", 9 * MS), ("unlock", "m"), ("sleep", MS), ("send", "c", 100)],
        "b": [("io", MS), ("lock", "m"), ("compute", MS), ("unlock", "m"), ("yield",), ("syscall", MS), ("recv", "d")],
    },
    {"m": ("mutex", None), "c": ("channel", 0), "d": ("channel", 0)},
)
