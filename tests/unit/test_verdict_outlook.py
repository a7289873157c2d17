"""What would change the verdict, of a workload and of any program: varied, replayed, and said."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.programs import program
from tracekit import api
from tracekit.machine.limits import Limit
from tracekit.machine.profile import load_profile
from tracekit.program.catalog import scenarios
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import load_workload
from tracekit.report.figures import verdict
from tracekit.report.outlook import FACTOR, Fit, Outlook, Turning, sentences
from tracekit.report.view import build_view
from tracekit.tables.bundle import Program
from tracekit.verdict.asking import asking
from tracekit.verdict.outlook import Question, outlook
from tracekit.verdict.vary import Variable, of_program, of_workload

MS = 1_000_000
FEW = program(
    {f"task{i}": [("compute", MS), ("sleep", 2 * MS), ("send", "c", 64), ("recv", "c")] for i in range(3)},
    {"c": ("channel", 4)},
)


def asked(made: Program, best: str | None = "thread", **options: object) -> Question:
    runs = api.replay(made, cpus=2)
    return Question(runs, best, 0.05, load_profile(), **options)  # type: ignore[arg-type]


def test_a_factor_makes_every_segment_of_its_kind_longer_and_leaves_the_rest() -> None:
    varied = {variable.name: variable for variable in of_program(FEW, 2)}
    assert list(varied) == ["CPUs", "compute", "waits", "message sizes"]
    before = FEW.frame("segments")
    for name, kind, column in (
        ("compute", "compute", "duration_ns"),
        ("waits", "sleep", "duration_ns"),
        ("message sizes", "send", "bytes"),
    ):
        made = varied[name].make(3 * varied[name].own)
        assert made is not None
        after = made[0].frame("segments")
        changed = before["kind"].cast(str) == kind
        assert (after.filter(changed)[column] == 3 * before.filter(changed)[column]).all()
        assert after.filter(~changed).equals(before.filter(~changed))
    assert varied["CPUs"].make(7) == (FEW, 7)


def test_parameters_have_the_unit_that_their_file_writes() -> None:
    workload = load_workload(scenarios()["pipeline"].path)
    units = {v.name: v.unit for v in of_workload(workload, synthesize(workload), 2)}
    assert units == {"stages": "", "messages": "", "work": "ns", "size": "bytes", "depth": "", "CPUs": ""}


def test_more_compute_makes_the_price_of_creating_tasks_small() -> None:
    # 40 children of 20 us: a thread costs 24 us to create and a goroutine 0.35, so goroutines are first by far; the
    # longer the children compute the less that is of the whole, and from 20 times on it is under the margin of 5 %
    children = {f"child{i}": [("compute", 20_000)] for i in range(40)}
    spawns = [(what, name) for what in ("spawn", "join") for name in children]
    made = program({"main": spawns, **children})
    question = asked(made, "goroutine")
    compute = [variable for variable in of_program(made, 2) if variable.name == "compute"]
    found = outlook(question, compute)
    assert found.tried == ("compute",)
    assert found.turnings == ()  # never another form first: only too close to call


def test_messages_make_processes_lose_only_where_there_are_many() -> None:
    point = Turning("messages", "", 100, 12, 14, "process", {"thread": 200, "process": 100}, "12 messages a second")
    lines = sentences(Outlook("thread", (point,), ("messages", "size"), 64))
    assert lines[0] == (
        "messages: processes are first at 12 and below (it is 100; at 14 not yet): processes 100 ns, threads 200 ns, "
        "12 messages a second"
    )
    assert lines[1] == "size: threads stay first with up to 64 times as much and as little"


def test_a_value_that_multiplies_is_said_as_a_factor() -> None:
    point = Turning("compute", FACTOR, 1000, 4000, 1000, "process", {"process": 1})
    assert "first at ×4 and above (as replayed)" in sentences(Outlook("thread", (point,)))[0]


def test_room_for_tasks_is_told_for_each_form() -> None:
    fits = (
        Fit("process", 9_000, "memory of 4GB"),
        Fit("thread", 9_000, "memory of 4GB"),
        Fit("goroutine", -1, "nothing"),
    )
    assert sentences(Outlook(None, fits=fits)) == [
        "room, with tasks like these on this machine: processes and threads stop fitting at 9,000 tasks (memory of 4GB)"
    ]


def test_memory_sets_how_many_fit() -> None:
    tight = asked(FEW, limits=(Limit("memory", "memory", 100 << 20),))
    fits = {fit.form: fit.tasks for fit in outlook(tight, []).fits}
    assert fits["process"] < fits["thread"] < fits["goroutine"]
    pipe = 3 * 4096  # three tasks share it: 4 messages of 64 bytes in one page, and two spare ones
    assert fits["process"] == (100 << 20) // (load_profile().value("process_resident_bytes") + pipe // 3)


def test_the_budget_ends_the_search_and_says_what_was_left_out() -> None:
    found = outlook(asked(FEW, budget=20), of_program(FEW, 2))
    assert found.turnings == ()
    assert found.unfinished == "CPUs, compute, waits, message sizes: not varied, the program is too long"


def test_one_form_that_meets_the_needs_is_not_varied() -> None:
    def never(value: int) -> None:
        raise AssertionError(value)

    found = outlook(asked(FEW, "process", needs=("isolation",)), [Variable("x", "", 1, never)])
    assert found.unfinished == "only one form meets the needs, whatever is varied"


def test_the_verdict_of_a_page_has_what_would_change_it(tmp_path: Path) -> None:
    runs = api.replay(FEW, cpus=2)
    found = verdict.compute(build_view(runs, None, FEW, None, (), asking(runs, FEW)))
    assert found["outlook"].tried == ("CPUs", "compute", "waits", "message sizes")
    page = api.write_report(runs, tmp_path / "a.html", program=FEW).read_text()
    assert "What would change the answer" in page
    page = api.write_report(runs, tmp_path / "b.html", program=FEW, what_if=False).read_text()
    assert "What would change the answer" not in page


def test_runs_of_another_profile_are_not_compared_with_this_one() -> None:
    runs = api.replay(FEW, cpus=2)
    for run in runs:
        run.meta["profile"] = {**run.meta["profile"], "digest": "other"}
    assert "not at hand" in asking(runs, FEW)("thread", 0.05).unfinished


@pytest.mark.parametrize("name", ["traces/go-forkjoin.trace"])
def test_a_recording_is_varied_by_its_cpus_compute_and_waits(name: str) -> None:
    trace = api.ingest(Path(__file__).parents[2] / name)
    names = [variable.name for variable in of_program(api.extract(trace), 2)]
    assert names[:2] == ["CPUs", "compute"]
