"""What a kernel can find wrong, by code. A handler returns DONE, WAIT, or one of these."""

from __future__ import annotations

DONE, WAIT = 1, 0

(
    BAD_EVENT, BAD_NUMBER, BAD_TIME, NO_THREAD_FOR_EVENT, NO_P, NO_GOROUTINE, HAS_P, HAS_GOROUTINE, BAD_P, BAD_STATUS,
    P_CHANGED, P_ELSEWHERE, P_UNKNOWN, P_LOST, P_SEQUENCE, G_CHANGED, G_LATE, G_ELSEWHERE, G_EXISTS, G_NOT_RUNNING,
    G_NOT_IN_SYSCALL, GC_CHANGED, STUCK, BAD_BATCH, BAD_STRINGS, BAD_STACKS, BAD_SAMPLES, BAD_VALUE,
) = range(-1, -29, -1)  # fmt: skip

MEANINGS: dict[int, str] = {
    BAD_EVENT: "not an event that can stand here",
    BAD_NUMBER: "a number has no end",
    BAD_TIME: "a time after the end of its generation",
    NO_THREAD_FOR_EVENT: "an event that needs a thread has none",
    NO_P: "an event that needs a P happens without one",
    NO_GOROUTINE: "an event that needs a running goroutine happens without one",
    HAS_P: "a P starts on a thread that has one",
    HAS_GOROUTINE: "a goroutine starts on a thread that is running another",
    BAD_P: "an impossible P id",
    BAD_STATUS: "an impossible status",
    P_CHANGED: "a P's status is not what its events led to",
    P_ELSEWHERE: "a P is on two threads at once",
    P_UNKNOWN: "an event for a P that was never seen",
    P_LOST: "a P is stolen from a thread that does not have it",
    P_SEQUENCE: "a P's events do not follow one another",
    G_CHANGED: "a goroutine's status is not what its events led to",
    G_LATE: "a goroutine appears without having been created",
    G_ELSEWHERE: "a goroutine is on two threads at once",
    G_EXISTS: "a goroutine is created twice",
    G_NOT_RUNNING: "a goroutine that is not running acts",
    G_NOT_IN_SYSCALL: "a goroutine ends a system call that it is not in",
    GC_CHANGED: "collector events contradict each other",
    STUCK: "no thread's next event can follow; one that must come before is missing",
    BAD_BATCH: "not the start of a batch",
    BAD_STRINGS: "a damaged string table",
    BAD_STACKS: "a damaged stack table",
    BAD_SAMPLES: "damaged CPU samples",
    BAD_VALUE: "an impossible value of a counter",
}
