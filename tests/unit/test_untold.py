"""The tool that tells what recordings can't: that it takes from runs what no recording has."""

from __future__ import annotations

from tests.programs import free_profile, program
from tests.untold import as_recorded
from tracekit.engine.replay import replay
from tracekit.program.extract import extract


def test_a_run_taken_for_a_recording_has_no_locks_left_but_its_waits() -> None:
    locked = [("lock", "m"), ("compute", 500), ("unlock", "m")]
    run = replay(program({"a": locked, "b": locked}, {"m": ("mutex", None)}), "thread", cpus=2, profile=free_profile())
    again = extract(as_recorded(run, "thread"))
    assert set(extract(run).frame("segments")["kind"]) == {"lock", "compute", "unlock"}
    assert again.frame("segments")["kind"].to_list().count("wait") == 1
    assert set(again.frame("segments")["kind"]) == {"compute", "signal", "wait"}
