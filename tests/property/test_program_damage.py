"""Damaged workload files: whatever is typed, the answer is a program or one line that says what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracekit.errors import WorkloadError
from tracekit.program.catalog import scenarios
from tracekit.program.expressions import parse_expression
from tracekit.program.synthesize import synthesize
from tracekit.program.workload import parse_workload

TEXTS = [scenario.path.read_text() for scenario in scenarios().values()]
# No digits: a number made large by chance is a large program, and no mistake.
edit = st.tuples(st.floats(0, 1), st.integers(0, 12), st.text("[]{}\"'=.,+-*/%()_ \nabinsuzµ#\\", max_size=4))


@settings(max_examples=400)
@given(st.sampled_from(TEXTS), st.lists(edit, min_size=1, max_size=3))
def test_an_edited_workload(text: str, edits: list[tuple[float, int, str]]) -> None:
    for where, gone, put in edits:
        at = int(where * len(text))
        cut = text[at : at + gone]
        text = text[:at] + put + "".join(c for c in cut if c.isdigit()) + text[at + gone :]
    try:
        program = synthesize(parse_workload(text, where="w.toml"))
    except WorkloadError as error:
        assert "\n" not in str(error)
        assert str(error).startswith("w.toml")
    else:
        assert program.tables["tasks"].num_rows


@given(st.text("0123456789 ()+-*/%.ksm_abin", max_size=30))
def test_any_expression(text: str) -> None:
    try:
        value = parse_expression(text, "duration_ns").value(dict.fromkeys("abin", 3))
    except (ValueError, KeyError):
        return
    assert isinstance(value, int)


def test_an_expression_can_not_be_made_deep() -> None:
    with pytest.raises(ValueError, match="an expression of 402 characters"):
        parse_expression("(" * 200 + "1 " + ")" * 200, "count")
