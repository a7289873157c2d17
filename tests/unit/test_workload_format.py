"""The workload format: one file with everything in it, and the program it makes; and how places in a file are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.golden.program_text import text_of
from tracekit.program.check import check
from tracekit.program.expressions import parse_expression
from tracekit.program.lines import Lines
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import load_workload, parse_workload
from tracekit.tables.meta import PROGRAM_META

GOLDEN = Path(__file__).parents[1] / "golden"


def test_a_file_with_everything() -> None:
    program = synthesize(load_workload(GOLDEN / "program_workload.toml"))
    check(program)
    assert text_of(program) + "\n" == (GOLDEN / "program_workload.txt").read_text()
    assert set(program.meta) == set(PROGRAM_META)
    assert [entry["policy"] for entry in program.meta["policies"]] == ["waits that nothing ends"]


def test_a_task_of_no_instances_is_none() -> None:
    text = (
        '[tasks.main]\nstart = 0\nsteps = [{ spawn = "a" }]\n[tasks.a]\ncount = 0\nsteps = [{ repeat = 9, steps = [] }]'
    )
    program = synthesize(parse_workload(text, where="w"))
    assert text_of(program) == "main (at 0 ns): nothing"


def test_an_empty_body_costs_nothing_however_often_it_repeats() -> None:
    text = '[tasks.main]\nstart = 0\nsteps = [{ repeat = 4000000000000, as = "k", steps = [] }, "yield"]'
    assert text_of(synthesize(parse_workload(text, where="w"))) == "main (at 0 ns): yield"


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2 * hold + 1us", "duration_ns", 7000),
        ("(1 + 2) * 3 - 4", "count", 5),
        ("10 - 3 - 2", "count", 5),
        ("7 / 2 * 2", "count", 6),
        ("7 % 4 + 1", "count", 4),
        ("1.5ms", "duration_ns", 1_500_000),
        ("1_000", "count", 1000),
        ("64KiB / 2", "bytes", 32_768),
        (12, "bytes", 12),
    ],
)
def test_expressions(text: object, unit: str, expected: int) -> None:
    assert parse_expression(text, unit).value({"hold": 3000}) == expected


def test_lines_are_found_past_comments_and_texts_that_look_like_keys() -> None:
    lines = Lines(
        'note = """\nlock = 1\n"""\n# lock = 2\n[tasks.a]\nblock = "lock = 3"\n"lock" = 4\n[tasks."b c"]\nlock= 5\n',
        "f",
    )
    assert lines.header("tasks", "a") == 5
    assert lines.key("lock") == 7
    assert lines.key("lock") == 9
    assert lines.header("tasks", "b c") == 8
    assert lines.key("nowhere") == 8
