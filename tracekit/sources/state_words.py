"""What other tools call a task's state, and which state and reason that is here. Shared by formats that use words.

The letters are those of `ps` and /proc/PID/stat (man 5 proc); the words are those of the kernel's task state names,
of Perfetto's and Catapult's thread states, and of Go's execution tracer (internal/trace, GoState).
"""

from __future__ import annotations

_WORDS: dict[tuple[str, str | None], tuple[str, ...]] = {
    ("RUNNING", None): ("running", "run", "on_cpu", "oncpu", "executing"),
    ("RUNNABLE", None): ("runnable", "ready", "r", "queued", "waking"),
    ("RUNNABLE", "preempted"): ("r+", "preempted", "runnable (preempted)"),
    ("BLOCKED", None): (
        "blocked", "s", "sleeping", "sleep", "interruptible sleep", "waiting", "wait", "i", "idle", "off_cpu", "offcpu",
    ),
    ("BLOCKED", "uninterruptible"): (
        "d", "uninterruptible", "uninterruptible sleep", "disk sleep", "uninterruptible sleep | wakekill",
    ),
    ("BLOCKED", "io"): ("iowait", "uninterruptible sleep (io)", "blocked on io"),
    ("BLOCKED", "syscall"): ("syscall", "in syscall"),
    ("BLOCKED", "stopped"): ("t", "stopped", "traced", "tracing stop"),
    ("NEW", None): ("new", "created"),
    ("EXITED", None): ("exited", "exit", "dead", "terminated", "notexist", "x", "z", "zombie"),
    ("UNKNOWN", None): ("unknown", "undetermined"),
}  # fmt: skip

STATE_WORDS = {word: meaning for meaning, words in _WORDS.items() for word in words}


def state_of(word: str) -> tuple[str, str | None] | None:
    """State and reason (or None where the word gives no reason) of a tool's word, whatever its case; None: unknown."""
    return STATE_WORDS.get(" ".join(word.lower().split()))
