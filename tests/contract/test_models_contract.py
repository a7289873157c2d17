"""What every model must do: over every registered one, every pair of runtime and kernel policy, and two from outside
the package, one of them a third party's that test_third_party.py installs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.checker import check
from tests.contract import rogue
from tests.contract.work import LIFO, MS, RUNTIMES, WORK
from tests.programs import free_profile, program
from tracekit.cli.main import app
from tracekit.cli.replaying import known_models
from tracekit.engine.handles import Handle
from tracekit.engine.replay import replay
from tracekit.engine.state import records
from tracekit.errors import ModelError, UsageError
from tracekit.models.catalog import KERNELS, catalog, find_model
from tracekit.tables.bundle import Run
from tracekit.tables.checks import ensure

ROOT = Path(__file__).parents[2]
NAMES = [*catalog(), LIFO]


def _keeps_the_contract(run: Run) -> None:
    ensure(run)
    check(run, WORK)
    assert run.meta["outcome"] == "completed"
    assert run.frame("tasks")["end_ns"].null_count() == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cpus", [1, 2])
def test_a_model_completes_and_its_tables_keep_the_laws(name: str, cpus: int) -> None:
    _keeps_the_contract(replay(WORK, name, cpus=cpus))


def test_every_pair_of_runtime_and_kernel_policy_and_those_from_outside() -> None:
    # without the JIT, as law 3 allows: all pairs compiled would take minutes
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.contract.every_pair"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["outside"] == ["turns", "lifo"]
    assert said["same_turns"]  # a third party's round robin decides as the built-in one
    pairs = {(pair["runtime"], pair["kernel_policy"]) for pair in said["pairs"]}
    outside = {("one_to_one", "turns"), ("one_to_one", "lifo")}
    assert pairs == {(runtime, kernel) for runtime in RUNTIMES for kernel in KERNELS} | outside
    assert all(pair["outcome"] == "completed" and pair["unfinished"] == 0 for pair in said["pairs"])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_run(name: str) -> None:
    first, second = (replay(WORK, name, cpus=2, seed=3) for _ in range(2))
    assert all(first.tables[table].equals(second.tables[table]) for table in first.tables)


@pytest.mark.parametrize("name", NAMES)
def test_a_bound_of_a_parameter_is_kept(name: str) -> None:
    model = find_model(name)
    for full, parameter in model.all_parameters().items():
        with pytest.raises(UsageError, match=full):
            replay(WORK, name, parameters={full: parameter.low - 1})


@pytest.mark.parametrize("name", NAMES)
def test_a_model_documents_itself(name: str) -> None:
    model = find_model(name)
    assert model.title and model.isolation and model.runtime.doc and model.kernel.doc
    for parameter in model.all_parameters().values():
        assert parameter.unit in ("ns", "bytes", "count") and parameter.meaning
        assert parameter.low <= parameter.default <= parameter.high


@pytest.mark.parametrize("name", sorted({*catalog(), *RUNTIMES, *KERNELS, LIFO}))
def test_the_page_of_a_model_runtime_or_policy_is_whole(name: str) -> None:
    done = CliRunner().invoke(app, ["models", name])
    told = json.loads(CliRunner().invoke(app, ["models", name, "--json"]).stdout)
    assert done.exit_code == 0
    for known in told if isinstance(told, list) else [told]:
        assert known["title"] in done.stdout and known["doc"].splitlines()[0] in done.stdout
        rows = {line.split()[0]: line for line in done.stdout.partition("--set")[2].splitlines()[1:]}
        assert list(rows) == [parameter["name"] for parameter in known["parameters"]]
        for parameter in known["parameters"]:
            assert rows[parameter["name"]].split()[1:3] == [f"{parameter['default']:,}", parameter["unit"]]
            assert parameter["meaning"] in rows[parameter["name"]]


@pytest.mark.parametrize("kernel", list(KERNELS))
@pytest.mark.parametrize("name", list(catalog()))
def test_set_takes_every_parameter_listed(name: str, kernel: str) -> None:
    listed = find_model(name).all_parameters(KERNELS[kernel])
    given = {full: str(parameter.default) for full, parameter in listed.items()}
    assert known_models(name, kernel, given) == {name: {full: p.default for full, p in listed.items()}}


def test_a_third_party_decides() -> None:
    work = program({name: [("compute", MS)] for name in "abcd"})
    run = replay(work, LIFO, cpus=1, profile=free_profile())
    ends = run.frame("tasks")["end_ns"].to_list()
    assert ends == [4 * MS, 3 * MS, 2 * MS, MS]  # the last to come is the first to run


THREE = program({"a": [("compute", 9 * MS)], "b": [("compute", MS)], "c": [("compute", MS)]})


@pytest.mark.parametrize(
    ("breaks", "cpus", "said"),
    [
        (rogue.PICKS_A_RUNNING_ONE, 1, r"pick_next chose thread 0 [(]task 0 [(]a[)][)], which is not runnable"),
        (rogue.CHOOSES_A_CPU, 2, r"select_cpu chose CPU 99 for task 0 [(]a[)], which does not exist"),
        (rogue.PICKS_NOBODY, 1, r"pick_next found no thread on CPU 0 although some are queued there"),
        (rogue.PULLS_A_RUNNING_ONE, 2, r"balance chose thread 0 [(]task 0 [(]a[)][)], which is not runnable"),
        (rogue.PUSHES_A_RUNNING_ONE, 2, r"rebalance chose thread 0 [(]task 0 [(]a[)][)], which is not runnable"),
        (rogue.PUSHES_TO_A_CPU, 2, r"rebalance moved task 1 [(]b[)] to CPU 99, which does not exist"),
    ],
)
def test_a_rogue_is_stopped_where_it_breaks_the_rule(breaks: int, cpus: int, said: str) -> None:
    # with the number of the event, the time, the hook and the task
    with pytest.raises(ModelError, match=rf"event \d+ at \d+ ns: {said}"):
        replay(THREE, "tests.contract.rogue:MODEL", cpus=cpus, profile=free_profile(),
               parameters={"rogue.breaks": breaks})  # fmt: skip


def test_a_rogue_runtime_is_stopped() -> None:
    with pytest.raises(ModelError, match=r"event \d+ at 0 ns: next_task chose task 99 .*for thread 0, which is not a"):
        replay(THREE, "tests.contract.rogue:HOSTED", cpus=1, profile=free_profile())


def test_a_field_that_numpy_would_hide_without_the_jit_is_refused() -> None:
    class Queues(Handle):
        queues: Any

    with pytest.raises(TypeError, match="queues has a field size"):
        Queues(records(1, np.dtype([("size", "i8")])))
