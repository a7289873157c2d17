"""What a bundle's `meta` holds, declared once. Values are JSON-ready; unknown is null (None)."""

from __future__ import annotations

TRACE_META: dict[str, str] = {
    "source": "dict: path, format, version, sha256, size_bytes of the recording",
    "clock": "dict: name, origin_ns (the clock's value at time 0), wall_origin_ns (UNIX time at time 0)",
    "host": "host name, where recorded",
    "kernel": "kernel release, or Go version for a Go trace",
    "cpus": "number of CPUs (for a Go trace: of Ps)",
    "end_ns": "length of the trace in ns",
    "events": "number of scheduling events read",
    "repeats": "how many of these tell of a switch or a wakeup that another one tells of; absent where none can",
    "callchains": "whether the recorder wrote where in the kernel tasks leave their CPUs; absent where none can",
    "form": "process, thread or goroutine: what most of its tasks are",
    "policies": "list of dicts (policy, choice, count): choices made while reading, and how often they mattered",
    "tool_version": "the tracekit that made it",
}
PROGRAM_META: dict[str, str] = {
    "origin": "workload or trace",
    "name": "scenario or file name",
    "form": "the form it was recorded in; null when synthetic",
    "source": "as in a trace; for a workload: path, sha256",
    "seed": "seed of its distributions; null when extracted",
    "cpus": "CPUs of the recording; null when synthetic",
    "coverage": "0 to 1: share of blocked time that recorded dependencies explain; null when synthetic",
    "removed_ns": "dict by kind: recorded cost taken out of compute",
    "policies": "as in a trace",
    "objects": "list of dicts (kind, capacity, name, count): objects in id order, equal neighbours as one",
    "main_returns": "whether the first task's end is the program's; not known of a recording (false)",
    "tool_version": "the tracekit that made it",
}
RUN_META: dict[str, str] = {
    "model": "process, thread, goroutine, recorded or a third party's",
    "kernel_policy": "the kernel policy below the runtime",
    "runtime": "how tasks sit on kernel threads",
    "form": "the form the converted tasks take",
    "cpus": "number of CPUs",
    "seed": "seed of the run",
    "profile": "dict: name, host, digest of the cost profile",
    "parameters": "dict: every model parameter by name",
    "program": "the program's meta",
    "end_ns": "when the last task ended (makespan, from time 0)",
    "events": "engine events handled",
    "outcome": "completed, crashed, deadlock or limit; with a sentence in outcome_detail",
    "outcome_detail": "who waits for what, or which limit",
    "counters": "dict: context_switches_voluntary, context_switches_involuntary, migrations, steals, handoffs, threads",
    "failure": "dict: the blast radius of a crash or of main's return (engine/blast.py); null where nothing ended early",
    "variables": "list of dicts: name, asked, value, lost, by_task of each variable (engine/variables.py)",
    "tool_version": "the tracekit that made it",
}
