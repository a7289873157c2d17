"""Rows of events by name: which are CPUs, which are threads, and what each is called."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracekit.sources.chrome_json.layout import NONE, ROWS, TEXTS, Ints, Store
from tracekit.sources.chrome_json.spec import CPU_PROCESSES, CPU_ROW, OWN
from tracekit.sources.chrome_json.windows import Scanned


def text_of(store: Store, number: int) -> str:
    """A text by number, its escapes resolved where they can be."""
    if number < 0 or number >= store.state[TEXTS]:
        return ""
    raw = bytes(store.arena[store.starts[number] : store.starts[number + 1]]).decode("utf-8", "replace")
    if "\\" in raw:
        try:
            return str(json.loads(f'"{raw}"', strict=False)).encode("utf-8", "replace").decode()
        except ValueError:
            return raw
    return raw


@dataclass
class Rows:
    """By row number: the texts of pid and tid, the name, the CPU (NONE: a thread's row), and what metadata adds."""

    pid: list[str]
    tid: list[str]
    names: list[str | None]
    cpu: Ints
    arguments: dict[int, dict[str, Any]] = field(default_factory=dict)
    own: dict[str, Any] | None = None  # what our own export says about the whole
    gaps: list[dict[str, Any]] = field(default_factory=list)

    def number(self, row: int) -> int | None:
        """The tid as a number, where it is one."""
        tid = self.tid[row]
        return int(tid) if tid.isascii() and tid.isdigit() and len(tid) <= 18 else None


def rows_of(scanned: Scanned) -> Rows:
    """Every row of the scan, named by the metadata, wherever that stands in the file."""
    store = scanned.store
    count = int(store.state[ROWS])
    rows = Rows(
        [text_of(store, int(p)) for p in store.row_pid[:count]],
        [text_of(store, int(t)) for t in store.row_tid[:count]],
        [None] * count,
        np.full(count, NONE, np.int64),
    )
    processes: dict[str, str] = {}
    for row, event in scanned.notes:
        _note(rows, processes, row, event)
    _find_cpus(rows, processes)
    for row in range(count):
        name = rows.names[row]
        rows.names[row] = name if name is not None else processes.get(rows.pid[row])
    return rows


def _note(rows: Rows, processes: dict[str, str], row: int, event: dict[str, Any]) -> None:
    arguments = event.get("args")
    if not isinstance(arguments, dict):
        return
    called, name = event.get("name"), arguments.get("name")
    if event.get("cat") == "gap":
        rows.gaps.append({"ts": event.get("ts"), **arguments})
    elif called == "thread_name" and isinstance(name, str):
        rows.names[row] = _clean(name)
        rows.arguments[row] = arguments
    elif called == "process_name" and isinstance(name, str):
        processes[rows.pid[row]] = _clean(name)
    elif called == OWN:
        rows.own = arguments


def _clean(name: str) -> str:
    return name.encode("utf-8", "replace").decode()  # a lone surrogate is no text


def _find_cpus(rows: Rows, processes: dict[str, str]) -> None:
    """Rows called `CPU n` in a process of CPUs, or in one that has no rows of other names."""
    of_row = [CPU_ROW.fullmatch(name.strip()) if name else None for name in rows.names]
    named = Counter(pid for pid, name in zip(rows.pid, rows.names, strict=True) if name)
    like_cpus = Counter(pid for pid, match in zip(rows.pid, of_row, strict=True) if match)
    for row, match in enumerate(of_row):
        if match is None:
            continue
        pid = rows.pid[row]
        called = processes.get(pid, "").strip().lower()
        if called in CPU_PROCESSES or like_cpus[pid] == named[pid]:
            rows.cpu[row] = int(match[1])
