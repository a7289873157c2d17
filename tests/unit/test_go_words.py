"""Go traces: the data tables that say what the wire's events and the runtime's reasons are."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.fuzz.go_writer import varint as encode
from tracekit.sources.base import Source
from tracekit.sources.go_trace import SOURCE
from tracekit.sources.go_trace.spec import ARGUMENTS, MAX_ARGS, NOT_TIMED, SPECS, VERSIONS
from tracekit.sources.go_trace.words import BLOCK_REASONS, FUNCTION_REASONS, REFINED_REASONS, STOP_REASONS
from tracekit.vocabulary import REASONS


def test_the_source_is_one() -> None:
    assert isinstance(SOURCE, Source)
    assert SOURCE.name == "go"


def test_codes_and_names_are_unique() -> None:
    assert len({spec.code for spec in SPECS}) == len({spec.name for spec in SPECS}) == len(SPECS)


def test_timed_events_begin_with_the_time() -> None:
    for spec in SPECS:
        if spec.timed:
            assert spec.args[0] == "dt"
            assert len(spec.args) <= MAX_ARGS
            assert ARGUMENTS[spec.code] == len(spec.args) - 1
        else:
            assert ARGUMENTS[spec.code] == NOT_TIMED


def test_every_event_came_with_a_known_version() -> None:
    assert {spec.since for spec in SPECS} <= set(VERSIONS)


@pytest.mark.parametrize("table", [BLOCK_REASONS, STOP_REASONS, FUNCTION_REASONS])
def test_reasons_are_words_of_the_vocabulary(table: dict[str, str | None]) -> None:
    assert {reason for reason in table.values() if reason is not None} <= set(REASONS)


def test_refined_reasons_are_reasons() -> None:
    assert set(REFINED_REASONS) <= set(BLOCK_REASONS)


def test_varints_are_read_as_written() -> None:
    import numpy as np

    from tracekit.sources.go_trace.clock import index_samples

    for value in (0, 1, 127, 128, 2**32, 2**53):
        data = np.frombuffer(bytes([7]) + encode(value) + bytes(4), np.uint8)
        out = np.zeros(1, np.int64)
        assert index_samples(data, 0, len(data), 1.0, out, 0)[0] == 1
        assert out[0] == value


def test_importing_the_source_imports_nothing_heavy() -> None:
    code = (
        "import sys, tracekit.sources.go_trace; print([m for m in ('numba', 'pyarrow', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
