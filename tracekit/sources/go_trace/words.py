"""What the runtime's reason strings and function names mean in tracekit's vocabulary: data only.

The strings are those of Go's `src/runtime/traceruntime.go` (traceBlockReasonStrings, traceGoStopReasonStrings), the
same in all versions of the format. "sync" covers every semaphore of package sync, so the stack has to tell which.
"""

from __future__ import annotations

from tracekit.vocabulary import REASONS

# The reason of a BLOCKED interval. None: the string says nothing.
BLOCK_REASONS: dict[str, str | None] = {
    "unspecified": None,
    "forever": "event",
    "network": "network",
    "select": "select",
    "sync.(*Cond).Wait": "event",
    "sync": "lock",
    "chan send": "channel_send",
    "chan receive": "channel_recv",
    "GC mark assist wait for work": "gc",
    "GC background sweeper wait": "park",
    "system goroutine wait": "park",
    "preempted": "gc",
    "wait for debug call": "stopped",
    "wait until GC ends": "gc",
    "sleep": "sleep",
    "GC weak to strong wait": "gc",
    "synctest": "event",
    "": "coroutine",
}

# The reason of a RUNNABLE interval after a goroutine left its P.
STOP_REASONS: dict[str, str | None] = {"unspecified": None, "runtime.Gosched": "yield", "preempted": "preempted"}

# These block reasons are refined by the innermost function of the stack that is listed below.
REFINED_REASONS = ("sync", "unspecified")
FUNCTION_REASONS: dict[str, str] = {
    "sync.(*WaitGroup).Wait": "wait_group",
    "sync.(*Mutex).Lock": "lock",
    "sync.(*Mutex).lockSlow": "lock",
    "internal/sync.(*Mutex).Lock": "lock",
    "internal/sync.(*Mutex).lockSlow": "lock",
    "sync.(*RWMutex).Lock": "lock",
    "sync.(*RWMutex).RLock": "lock",
    "sync.(*Once).doSlow": "lock",
    "sync.(*Cond).Wait": "event",
    "internal/poll.(*FD).Read": "network",
    "internal/poll.(*FD).Write": "network",
    "internal/poll.(*FD).Accept": "network",
    "os/signal.signal_recv": "event",
    "time.Sleep": "sleep",
}

REFINE = 64  # added to a reason's code where the stack may tell more

_LEXICON = [(BLOCK_REASONS, 0), (STOP_REASONS, 1), (dict[str, str | None](FUNCTION_REASONS), 2)]


def _code(table: int, word: str, reason: str | None) -> int:
    code = -1 if reason is None else REASONS[reason]
    return code + REFINE if table == 0 and word in REFINED_REASONS else code


# Every word above, as bytes → its codes as (block reason, stop reason, function reason); -1 where it has none.
CODES: dict[bytes, tuple[int, int, int]] = {}
for _words, _table in _LEXICON:
    for _word, _reason in _words.items():
        _codes = list(CODES.get(_word.encode(), (-1, -1, -1)))
        _codes[_table] = _code(_table, _word, _reason)
        CODES[_word.encode()] = (_codes[0], _codes[1], _codes[2])
