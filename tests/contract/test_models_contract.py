"""What every model must do, over all that are registered and one from outside the package."""

from __future__ import annotations

import pytest

from tests.programs import free_profile, program
from tracekit.engine.replay import replay
from tracekit.errors import ModelError
from tracekit.models.catalog import KERNELS, catalog, find_model
from tracekit.tables.bundle import Run
from tracekit.tables.checks import ensure

MS = 1_000_000
LIFO = "tests.contract.lifo:MODEL"
WORK = program(
    {
        "main": [("spawn", "a"), ("spawn", "b"), ("compute", 5 * MS), ("recv", "c"), ("join", "a"), ("join", "b")],
        "a": [("lock", "m"), ("compute", 9 * MS), ("unlock", "m"), ("sleep", MS), ("send", "c", 100)],
        "b": [("io", MS), ("lock", "m"), ("compute", MS), ("unlock", "m"), ("yield",), ("syscall", MS)],
    },
    {"m": ("mutex", None), "c": ("channel", 0)},
)


def _keeps_the_contract(run: Run) -> None:
    ensure(run)
    assert run.meta["outcome"] == "completed"
    assert run.frame("tasks")["end_ns"].null_count() == 0


@pytest.mark.parametrize("name", [*catalog(), LIFO])
@pytest.mark.parametrize("cpus", [1, 2])
def test_a_model_completes_and_its_tables_keep_the_laws(name: str, cpus: int) -> None:
    _keeps_the_contract(replay(WORK, name, cpus=cpus))


@pytest.mark.parametrize("name", list(KERNELS))
def test_a_kernel_policy_completes_under_threads(name: str) -> None:
    _keeps_the_contract(replay(WORK, "thread", cpus=2, kernel=name))


@pytest.mark.parametrize("name", [*catalog(), LIFO])
def test_a_model_documents_itself(name: str) -> None:
    model = find_model(name)
    assert model.title and model.isolation and model.runtime.doc and model.kernel.doc
    for parameter in model.all_parameters().values():
        assert parameter.unit in ("ns", "bytes", "count") and parameter.meaning
        assert parameter.low <= parameter.default <= parameter.high


def test_a_third_party_decides() -> None:
    work = program({name: [("compute", MS)] for name in "abcd"})
    run = replay(work, LIFO, cpus=1, profile=free_profile())
    ends = run.frame("tasks")["end_ns"].to_list()
    assert ends == [4 * MS, 3 * MS, 2 * MS, MS]  # the last to come is the first to run


def test_a_rogue_is_stopped_where_it_breaks_the_rule() -> None:
    work = program({"a": [("compute", MS)], "b": [("compute", MS)], "c": [("compute", MS)]})
    with pytest.raises(ModelError, match=r"event \d+ at \d+ ns: pick_next chose thread 0 [(]task 0 [(]a[)][)]"):
        replay(work, "tests.contract.rogue:MODEL", cpus=1, profile=free_profile())
