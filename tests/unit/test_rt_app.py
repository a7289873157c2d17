"""rt-app configurations to programs and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracekit import api
from tracekit.errors import WorkloadError
from tracekit.program.rt_app import is_rt_app
from tracekit.program.rt_app_export import rt_app_text
from tracekit.tables.bundle import Program
from tracekit.tables.checks import check


def program(text: str, folder: Path, **parameters: str) -> Program:
    path = folder / "x.json"
    path.write_text(text, encoding="utf-8")
    made = api.synth(path, parameters=parameters)
    assert check(made) == []
    return made


def steps(made: Program, task: int) -> list[tuple[str, int | None]]:
    frame = made.frame("segments")
    return frame.filter(frame["task_id"] == task).select("kind", "duration_ns").rows()


def test_the_dialect_of_json(tmp_path: Path) -> None:
    text = """{ /* a comment, with "quotes" */ "tasks": { "a//b": {
        "loop": 2, "run": 10, "sleep": 5, // another
        "run": 20, "run1": 3, "yield": "", }, }, }"""
    made = program(text, tmp_path)
    assert made.frame("tasks")["name"].to_list() == ["a//b"]
    once = [("compute", 10_000), ("sleep", 5_000), ("compute", 20_000), ("compute", 3_000), ("yield", None)]
    assert steps(made, 0) == once * 2


def test_phases_instances_delay_and_what_is_left_out(tmp_path: Path) -> None:
    made = program(
        """{"global": {"duration": 5}, "tasks": {"t": {"instance": 2, "delay": 7, "loop": 1, "priority": 3,
        "phases": {"p": {"loop": 3, "runtime": 1, "mem": 4}, "q": {"timer": {"ref": "tick", "period": 9}}}}}}""",
        tmp_path,
    )
    tasks = made.frame("tasks")
    assert tasks.select("name", "start_ns").rows() == [("t[0]", 7000), ("t[1]", 7000)]
    assert steps(made, 1) == [("compute", 1000)] * 3 + [("arrival", 16_000)]
    policies = {p["policy"] for p in made.meta["policies"]}
    assert {"rt-app key priority", "rt-app key mem"} <= policies


def test_a_resume_wakes_who_is_suspended_and_is_lost_otherwise(tmp_path: Path) -> None:
    made = program(
        """{"global": {"duration": 1}, "tasks": {
        "waker": {"loop": 3, "resume": "sleeper", "run": 100},
        "sleeper": {"loop": -1, "run": 150, "suspend": "sleeper"}}}""",
        tmp_path,
    )
    assert [kind for kind, _ in steps(made, 0)] == ["compute", "compute", "signal", "compute"]
    assert [kind for kind, _ in steps(made, 1)] == ["compute", "wait", "compute"]
    run = api.replay(made, ["thread"], cpus=1)[0]
    assert run.meta["outcome"] == "completed"


def test_locks_conditions_barriers_and_forks(tmp_path: Path) -> None:
    made = program(
        """{"global": {"duration": 1}, "tasks": {
        "a": {"loop": 1, "lock": "m", "wait": {"ref": "q", "mutex": "m"}, "unlock": "m", "barrier": "b"},
        "b": {"loop": 1, "run": 5, "lock": "m", "signal": "q", "run": 2, "unlock": "m", "fork": "c", "barrier": "b"},
        "c": {"instance": 0, "loop": 1, "run": 1}}}""",
        tmp_path,
    )
    assert [kind for kind, _ in steps(made, 0)] == ["lock", "unlock", "wait", "lock", "unlock", "wait"]
    assert [kind for kind, _ in steps(made, 1)] == ["compute", "lock", "signal", "compute", "unlock", "spawn", "signal"]
    assert [kind for kind, _ in steps(made, 2)] == ["compute"]
    assert api.replay(made, ["goroutine"], cpus=2)[0].meta["outcome"] == "completed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"tasks": {"a": {"exec": 5}}}', "task a: exec is of the grammar before"),
        ('{"tasks": {"a": {"fly": 5}}}', "task a: unknown key 'fly'"),
        ('{"tasks": {"a": {"run": "x"}}}', "task a: run is 'x'"),
        ('{"tasks": {"a": {"unlock": "m", "loop": 1}}}', "task a unlocks m"),
        ('{"tasks": {"a": {"lock": "m", "loop": 2}}}', "locks m, which it already holds"),
        ('{"tasks": {"a": {"resume": "m"}}}', "more than 5,000,000 steps"),
        ('{"global": {}}', "no tasks"),
        ('{"tasks":\n {"a": __NAME__}}', "x.json:2: not JSON"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(WorkloadError) as raised:
        program(text, tmp_path)
    assert words in raised.value.line()


def test_out_and_in_again(tmp_path: Path) -> None:
    made = program(
        """{"global": {"duration": 1}, "tasks": {"a": {"loop": 4, "delay": 3, "run": 10, "lock": "m",
        "sleep": 2, "unlock": "m", "yield": ""}, "b": {"loop": 2, "lock": "m", "run": 1, "unlock": "m"}}}""",
        tmp_path,
    )
    text = rt_app_text(made)
    assert '"loop": 4' in text
    again = program(text, tmp_path)
    for name in ("tasks", "segments", "objects"):
        assert again.tables[name].equals(made.tables[name]), name


def test_what_rt_app_has_no_words_for_is_named() -> None:
    made = api.synth("pipeline")
    with pytest.raises(WorkloadError, match=r"rt-app can't express (send|recv|wait_group|join|wait|signal)"):
        rt_app_text(made)


def test_the_public_examples(recordings: Path) -> None:
    folder = recordings / "public" / "rt-app"
    assert is_rt_app(folder / "mp3-short.json")
    made = api.synth(folder / "mp3-short.json")
    assert check(made) == []
    assert made.tables["tasks"].num_rows == 5
    frame = made.frame("segments").filter(made.frame("segments")["kind"] == "arrival")
    assert frame["duration_ns"].to_list() == [6_000_000 * (i + 1) for i in range(1000)]
    assert api.replay(made, ["thread"], cpus=2)[0].meta["outcome"] == "completed"
