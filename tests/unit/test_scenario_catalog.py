"""The built-in scenarios: small, commented, sound, and each with the dependencies that its claim is about."""

from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from tracekit.errors import UsageError, WorkloadError
from tracekit.program.catalog import scenario_program, scenarios
from tracekit.program.check import check
from tracekit.program.workload import load_workload
from tracekit.tables.meta import PROGRAM_META

NAMES = ("blocking_syscalls", "fork_join", "mutex", "pipeline", "server", "spawn_storm")
ALL = scenarios()


def _kinds(name: str) -> Counter[str]:
    return Counter(scenario_program(name).frame("segments")["kind"].cast(pl.String))


def test_the_first_six_are_there() -> None:
    assert set(NAMES) <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_a_scenario_is_a_file_that_a_reader_can_take_in(name: str) -> None:
    scenario = ALL[name]
    text = scenario.path.read_text()
    assert len(text.splitlines()) < 40
    assert text.startswith("# ")
    assert scenario.claim.endswith(".")
    assert scenario.look_for
    assert scenario.path.name == f"{name}.workload.toml"
    assert load_workload(scenario.path).name == name


@pytest.mark.parametrize("name", ALL)
def test_a_scenario_is_sound_and_small_enough_to_replay_at_once(name: str) -> None:
    program = scenario_program(name)
    check(program)
    assert set(program.meta) == set(PROGRAM_META)
    assert program.meta["policies"] == []
    assert 1_000 <= program.tables["segments"].num_rows <= 100_000
    first = program.frame("tasks").row(0, named=True)
    assert (first["name"], first["start_ns"]) == ("main", 0)


def test_a_program_does_not_say_where_tracekit_is_installed() -> None:
    assert scenario_program("mutex").meta["source"]["path"] == "mutex.workload.toml"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fork_join", {"spawn": 2500, "join": 2500, "compute": 2500}),
        ("server", {"network": 20_000, "request": 20_000, "stack": 1000}),
        ("mutex", {"lock": 5000, "unlock": 5000, "compute": 10_000}),
        ("pipeline", {"send": 14_000, "recv": 14_000, "compute": 12_000}),
        ("spawn_storm", {"spawn": 10_000, "wait_group_done": 10_001, "wait_group_wait": 10_001}),
        ("blocking_syscalls", {"syscall": 5000, "yield": 40}),
    ],
)
def test_a_scenario_does_what_it_is_about(name: str, expected: dict[str, int]) -> None:
    kinds = _kinds(name)
    assert {kind: kinds[kind] for kind in expected} == expected


def test_a_pipeline_hands_on_from_neighbour_to_neighbour() -> None:
    program = scenario_program("pipeline", overrides={"stages": 3, "messages": 2})
    frame = program.frame("segments").with_columns(pl.col("kind").cast(pl.String))
    links = {
        (task, kind): set(part["object_id"])
        for (task, kind), part in frame.filter(pl.col("kind").is_in(["send", "recv"])).group_by("task_id", "kind")
    }
    assert links == {
        (0, "send"): {0}, (1, "recv"): {0}, (1, "send"): {1}, (2, "recv"): {1}, (2, "send"): {2}, (3, "recv"): {2},
        (3, "send"): {3}, (4, "recv"): {3},
    }  # fmt: skip


def test_seed_and_parameters() -> None:
    small = scenario_program("mutex", seed=5, overrides={"workers": 2, "work": "7us"})
    assert small.meta["seed"] == 5
    assert small.meta["source"]["parameters"] == {"workers": 2, "rounds": 100, "work": 7000, "hold": 2000}
    assert small.tables["tasks"].num_rows == 3
    assert not small.tables["segments"].equals(
        scenario_program("mutex", seed=6, overrides={"workers": 2, "work": "7us"}).tables["segments"]
    )


def test_a_wrong_name_or_parameter_is_met_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown scenario 'mutexes'; did you mean 'mutex'"):
        scenario_program("mutexes")
    with pytest.raises(WorkloadError, match="unknown parameter 'worker'; did you mean 'workers'"):
        scenario_program("mutex", overrides={"worker": 3})
    with pytest.raises(WorkloadError, match="parameter workers: 'few' is no number, duration or size"):
        scenario_program("mutex", overrides={"workers": "few"})
    with pytest.raises(WorkloadError, match=r"mutex.workload.toml:\d+: count of worker is"):
        scenario_program("mutex", overrides={"workers": 10**12})
