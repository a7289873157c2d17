"""What tasks hold, and from when on."""

from __future__ import annotations

from tests.programs import free_profile, program
from tracekit.engine.replay import replay


def test_what_a_child_touches_is_there_when_it_first_runs() -> None:
    # Of 100 KiB the kernel keeps 20 for a while after the end, and 16 are the kernel's stack: 64 are the child's own
    # copies of pages. On one CPU it runs after main, which sleeps from 1000 ns on.
    made = program({"main": [("spawn", "child"), ("sleep", 9000)], "child": [("compute", 500)]})
    kib = {"process_resident_bytes": 100 << 10, "process_reclaim_bytes": 20 << 10}
    run = replay(made, "process", cpus=1, profile=free_profile(process_spawn_ns=1000, **kib))
    held = run.frame("memory").select("at_ns", "resident_bytes").rows()
    assert [(at, size >> 10) for at, size in held if at <= 1000] == [(0, 100), (1000, 200)]
    waits = program({"main": [("spawn", "child"), ("compute", 500)], "child": []})
    rows = replay(waits, "process", cpus=1, profile=free_profile(process_spawn_ns=1000, **kib)).frame("memory")
    assert rows.filter(at_ns=1000)["resident_bytes"].to_list() == [(100 + 36) << 10]
