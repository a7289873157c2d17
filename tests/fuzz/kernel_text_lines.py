"""Lines of kernel trace text, written as the tools write them: what the reader's answers are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A scheduling event. Names are bytes: a task may call itself anything."""

    time_ns: int
    cpu: int
    tid: int
    name: bytes
    kind: str  # of EVENT_KINDS
    target: int = 0
    target_name: bytes = b""
    value: int = 0  # a CPU, a runtime, by kind
    state: bytes = b"S"
    tgid: int = 7
    interrupt: bool = False


TRACEPOINTS = {"migrate": b"migrate_task", "fork": b"process_fork", "exit": b"process_exit", "exec": b"process_exec"}


def _kernel(e: Line) -> bytes:
    """The events' own print formats (include/trace/events/sched.h)."""
    n, t, tn, v = e.name, e.target, e.target_name, e.value
    match e.kind:
        case "switch":
            return b"prev_comm=%s prev_pid=%d prev_prio=120 prev_state=%s ==> next_comm=%s next_pid=%d next_prio=120" % (
                n, e.tid, e.state, tn, t,
            )  # fmt: skip
        case "migrate":
            return b"comm=%s pid=%d prio=-2 orig_cpu=0 dest_cpu=%d" % (tn, t, v)
        case "stat_runtime":
            return b"comm=%s pid=%d runtime=%d [ns]" % (tn, t, v)
        case "fork":
            return b"comm=%s pid=%d child_comm=%s child_pid=%d" % (n, e.tid, tn, t)
        case "exit":
            return b"comm=%s pid=%d prio=120" % (tn, t)
        case "exec":
            return b"filename=/bin/x pid=%d old_pid=%d" % (e.tid, e.tid)
    return b"comm=%s pid=%d prio=120 target_cpu=%03d" % (tn, t, v)


def _plugin(e: Line) -> bytes:
    """As trace-cmd's plugin prints switches and wakeups."""
    if e.kind == "switch":
        return b"%s:%d [120] %s ==> %s:%d [-1]" % (e.name, e.tid, e.state, e.target_name, e.target)
    if e.kind in ("wakeup", "wakeup_new"):
        return b"%s:%d [120] CPU:%03d" % (e.target_name, e.target, e.value)
    return _kernel(e)


def _raw(e: Line) -> bytes:
    """trace-cmd report -R: fields without a format."""
    if e.kind == "switch":
        number = {b"R": 0, b"S": 1, b"D": 2, b"R+": 256, b"X": 16, b"I": 128}[e.state]
        return _kernel(e).replace(b"prev_state=%s ==>" % e.state, b"prev_state=%d" % number)
    if e.kind == "fork":
        return b"parent_comm=%s parent_pid=%d child_comm=%s child_pid=%d" % (e.name, e.tid, e.target_name, e.target)
    return _kernel(e)


def _event(e: Line) -> bytes:
    return b"sched_" + TRACEPOINTS.get(e.kind, e.kind.encode())


def _seconds(time_ns: int, digits: int = 9) -> bytes:
    return (b"%5d.%09d" % divmod(time_ns, 10**9))[: digits - 9 or None]


def _flags(e: Line, lazy: bool = False) -> bytes:
    return b"d." + (b"." if lazy else b"") + (b"h" if e.interrupt else b".") + b"2."


def tracefs(e: Line) -> bytes:
    """tracefs `trace`, times in µs."""
    return b"%16s-%-7d [%03d] %s %s: %s: %s" % (
        e.name, e.tid, e.cpu, _flags(e), _seconds(e.time_ns, 6).rjust(12), _event(e), _kernel(e),
    )  # fmt: skip


def tracefs_tgid(e: Line) -> bytes:
    """With the TGID column, and the columns of a lazily preempted kernel."""
    return b"%16s-%-7d (%7d) [%03d] %s %s: %s: %s" % (
        e.name, e.tid, e.tgid, e.cpu, _flags(e, lazy=True), _seconds(e.time_ns).rjust(12), _event(e), _kernel(e),
    )  # fmt: skip


def tracefs_ticks(e: Line) -> bytes:
    """With a clock that counts ticks, and without context flags."""
    return b"%16s-%-7d [%03d] %d: %s: %s" % (e.name, e.tid, e.cpu, e.time_ns, _event(e), _kernel(e))


def report(e: Line) -> bytes:
    """trace-cmd report -t."""
    return b"%16s-%-5d [%03d] %s: %-21s %s" % (e.name, e.tid, e.cpu, _seconds(e.time_ns), _event(e) + b":", _plugin(e))


def report_raw(e: Line) -> bytes:
    """trace-cmd report -R -t, of a version that prints flags."""
    return b"%16s-%-5d [%03d] %s %s: %-22s %s" % (
        e.name, e.tid, e.cpu, _flags(e), _seconds(e.time_ns), _event(e) + b":", _raw(e),
    )  # fmt: skip


def perf(e: Line) -> bytes:
    """perf script --ns -F comm,pid,tid,cpu,time,event,trace."""
    return b"%16s %5d/%-5d [%03d] %s: %25s %s" % (
        e.name, e.tgid, e.tid, e.cpu, _seconds(e.time_ns), b"sched:" + _event(e) + b":", _kernel(e),
    )  # fmt: skip


def perf_plugin(e: Line) -> bytes:
    """perf script --ns, as a perf that uses trace-cmd's plugins prints it, with a decimal comma and a period."""
    return b"%16s %5d [%03d] %s: %10d %25s %s" % (
        e.name, e.tid, e.cpu, _seconds(e.time_ns).replace(b".", b","), 1, b"sched:" + _event(e) + b":", _plugin(e),
    )  # fmt: skip


Writer = Callable[[Line], bytes]
WRITERS: tuple[Writer, ...] = (tracefs, tracefs_tgid, tracefs_ticks, report, report_raw, perf, perf_plugin)
WITH_TGID, WITH_FLAGS = (tracefs_tgid, perf), (tracefs, tracefs_tgid, report_raw)

STORY = (
    Line(1000_000, 0, 1, b"main", "fork", 4, b"main"),
    Line(1010_000, 0, 1, b"main", "wakeup_new", 4, b"main", 1),
    Line(1100_000, 1, 3, b"other", "switch", 4, b"main"),
    Line(1300_000, 1, 4, b"main", "waking", 3, b"other", 0, interrupt=True),
    Line(1305_000, 1, 4, b"main", "migrate", 3, b"other", 1),
    Line(1310_000, 1, 4, b"main", "wakeup", 3, b"other", 1),
    Line(1390_000, 0, 1, b"main", "stat_runtime", 1, b"main", 390_000),
    Line(1400_000, 0, 1, b"main", "switch", 0, b"swapper/0", state=b"D"),
    Line(1500_000, 1, 4, b"main", "switch", 3, b"other", state=b"R+"),
    Line(1600_000, 1, 3, b"other", "exit", 3, b"other"),
    Line(1700_000, 1, 3, b"other", "switch", 4, b"main", state=b"X"),
)


def text(lines: tuple[Line, ...], write: Writer) -> bytes:
    """Lines in one of the forms, as a file."""
    if write in (perf, perf_plugin):
        head = b""
    elif write in (report, report_raw):
        head = b"cpus=2\n"
    else:
        head = b"# tracer: nop\n#\n# entries-in-buffer/entries-written: %d/%d   #P:2\n#\n" % (len(lines), len(lines))
    return head + b"".join(write(line) + b"\n" for line in lines)
