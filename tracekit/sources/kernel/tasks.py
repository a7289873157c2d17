"""The tasks table: numbering, names, kinds, processes and parents, after all events are in."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tracekit.sources.kernel.events import Records, Rows
from tracekit.tables.build import NULL
from tracekit.vocabulary import EXIT_REASONS, TASK_KINDS

KTHREADD = 2  # the tid of the kernel thread that creates all others (rest_init, init/main.c)

# How kernel threads are called, for recordings that do not say who created whom.
KERNEL_NAMES = (
    "kworker/", "ksoftirqd/", "migration/", "cpuhp/", "rcu_", "rcuo", "rcub/", "irq/", "kswapd", "kcompactd",
    "khugepaged", "khungtaskd", "kthreadd", "ksmd", "kauditd", "kdevtmpfs", "oom_reaper", "watchdog", "jbd2/",
    "idle_inject/", "cpuset", "writeback",
)  # fmt: skip

_KERNEL, _PROCESS, _THREAD = TASK_KINDS["kernel"], TASK_KINDS["process"], TASK_KINDS["thread"]


def task_columns(tasks: Records, called: Mapping[int, str]) -> tuple[dict[str, object], str | None]:
    """Columns of the tasks table, and the recording's form; `called` has names by task, where any is known."""
    leaders = _leaders(tasks)
    kept = _kept(tasks, leaders)
    renamed = np.full(len(tasks), NULL, np.int64)
    renamed[kept] = np.arange(len(kept))
    rows = tasks[kept]
    names = [called.get(task) or f"task {tid}" for task, tid in zip(kept.tolist(), rows["tid"].tolist(), strict=True)]
    kinds = _kinds(tasks, rows, names)
    parents = rows["parent"].astype(np.int64)
    columns: dict[str, object] = {
        "task_id": np.arange(len(kept), dtype=np.int32),
        "name": names,
        "kind": kinds,
        "process_id": np.where(leaders[kept] < 0, NULL, renamed[leaders[kept]]),
        "parent_id": np.where(parents < 0, NULL, renamed[parents]),
        "source_id": rows["tid"].astype(np.int64),
        "start_ns": rows["start_ns"],
        "end_ns": rows["end_ns"],
        "exit_reason": np.where(rows["end_ns"] < 0, NULL, EXIT_REASONS["exit"]),
    }
    threads, processes = int((kinds == _THREAD).sum()), int((kinds == _PROCESS).sum())
    form = None if not threads + processes else "thread" if threads > processes else "process"
    return columns, form


def _leaders(tasks: Records) -> Rows:
    """Each task's process leader: the task whose tid is its tgid, of those before it the last."""
    leaders = np.full(len(tasks), NULL, np.int64)
    by_tid: dict[int, int] = {}
    for task, (tid, tgid) in enumerate(zip(tasks["tid"].tolist(), tasks["tgid"].tolist(), strict=True)):
        by_tid[tid] = task
        leaders[task] = task if tid == tgid else by_tid.get(tgid, NULL)
    for task in np.flatnonzero(leaders < 0).tolist():  # a leader that was seen only later
        leaders[task] = by_tid.get(int(tasks["tgid"][task]), NULL)
    return leaders


def _kept(tasks: Records, leaders: Rows) -> Rows:
    """Tasks that did something, in order of first sight, then leaders that did nothing."""
    active = tasks["first"] >= 0
    seen = np.flatnonzero(active)
    seen = seen[np.argsort(tasks["first"][seen])]
    named = leaders[seen]
    silent = np.unique(named[named >= 0])
    return np.concatenate([seen, silent[~active[silent]]])


def _kinds(tasks: Records, rows: Records, names: list[str]) -> Rows:
    """A thread if its tid is not its process's; of the others, who was made by kthreadd never left the kernel."""
    parent_tids = np.where(rows["parent"] < 0, NULL, tasks["tid"][rows["parent"]])
    kthreadd = (rows["tid"] == KTHREADD) & (parent_tids < 0)
    made_by_kthreadd = (kthreadd | (parent_tids == KTHREADD)) & (rows["executed"] == 0)
    named_so = np.array([name.startswith(KERNEL_NAMES) for name in names], np.bool_) & (parent_tids < 0)
    alone = (rows["tgid"] < 0) | (rows["tgid"] == rows["tid"])
    unknown = (rows["tgid"] < 0) & (parent_tids < 0)
    kinds = np.where(alone, _PROCESS, _THREAD)
    return np.where(alone & (made_by_kthreadd | named_so | unknown), _KERNEL, kinds)
