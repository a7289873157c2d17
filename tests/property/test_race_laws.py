"""The race detector against a slow one that keeps every access with a whole vector clock, on generated histories."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.race_histories import CAPACITIES, TASKS, Row, history
from tracekit.analysis.races.detector import detect


class World:
    """What could happen next: nobody takes a held lock, receives from an empty channel, or runs before it is spawned."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.alive, self.spawned, self.ended = {0, 1}, {0, 1}, set[int]()
        self.writer: dict[str, int | None] = {"m": None, "rw": None}
        self.readers: set[int] = set()
        self.held: dict[str, int] = defaultdict(int)

    def step(self, task: int, what: int, thing: int, other: int) -> None:
        if task not in self.alive:
            return
        steps = (
            self.access,
            self.access,
            self.lock,
            self.lock,
            self.read_lock,
            self.room,
            self.room,
            self.meet,
            self.count,
            self.life,
        )
        steps[what % len(steps)](task, thing, other)

    def access(self, task: int, thing: int, other: int) -> None:
        self.rows.append((("read", "write", "atomic")[other % 3], task, ("x", "y")[thing % 2]))

    def lock(self, task: int, thing: int, other: int) -> None:
        name = ("m", "rw")[thing % 2]
        if self.writer[name] == task:
            self.writer[name] = None
            self.rows.append(("unlock", task, name))
        elif self.writer[name] is None and not (name == "rw" and self.readers):
            self.writer[name] = task
            self.rows.append(("lock", task, name))

    def read_lock(self, task: int, thing: int, other: int) -> None:
        if task in self.readers:
            self.readers.remove(task)
            self.rows.append(("read_unlock", task, "rw"))
        elif self.writer["rw"] is None:
            self.readers.add(task)
            self.rows.append(("read_lock", task, "rw"))

    def room(self, task: int, thing: int, other: int) -> None:
        name = ("c1", "c2")[thing % 2]
        if other % 2 and self.held[name] < CAPACITIES[name]:
            self.held[name] += 1
            self.rows.append(("send", task, name))
        elif not other % 2 and self.held[name]:
            self.held[name] -= 1
            self.rows.append(("recv", task, name))

    def meet(self, task: int, thing: int, other: int) -> None:
        partner = other % TASKS
        if partner != task and partner in self.alive:
            both: list[Row] = [("send", task, "c0"), ("recv", partner, "c0")]
            self.rows += both if thing % 2 else both[::-1]

    def count(self, task: int, thing: int, other: int) -> None:
        kinds = ("signal", "wait", "wait_group_done", "wait_group_wait")
        self.rows.append((kinds[thing % 4], task, "e" if thing % 4 < 2 else "g"))

    def life(self, task: int, thing: int, other: int) -> None:
        child = other % TASKS
        if child not in self.spawned:
            self.spawned.add(child)
            self.alive.add(child)
            self.rows.append(("spawn", task, child))
        elif child in self.ended:
            self.rows.append(("join", task, child))
        elif child != task and child in self.alive and thing % 3 == 0:
            self.alive.remove(child)
            self.ended.add(child)


def made(seed: int) -> list[Row]:
    """A history from a seed: long enough for several orders to meet in it, which lists drawn one by one seldom are."""
    chance = random.Random(seed)
    world = World()
    for _ in range(chance.randint(0, 120)):
        world.step(chance.randrange(TASKS), *(chance.randrange(1 << 10) for _ in range(3)))
    return world.rows


histories = st.integers(0, 1 << 40).map(made)


def first_races(rows: list[Row]) -> dict[str, int]:
    """By variable the row of the access that completes its first race."""
    clocks: dict[Any, dict[int, int]] = defaultdict(dict)
    queues: dict[str, list[dict[int, int]]] = defaultdict(list)
    freed: dict[str, list[dict[int, int]]] = defaultdict(list)
    sent: dict[str, int] = defaultdict(int)
    seen: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    found: dict[str, int] = {}

    def take(into: dict[int, int], other: dict[int, int]) -> None:
        for task, clock in other.items():
            into[task] = max(into.get(task, 0), clock)

    met = False
    for i, (kind, task, thing) in enumerate(rows):
        own = clocks["task", task]
        own[task] = own.get(task, 0) + 1  # a step of its own each: nothing is shared between steps
        if kind in ("read", "write", "atomic"):
            name = str(thing)
            if kind == "atomic":
                take(own, clocks["atomic", name])
            for other, how, clock in seen[name]:
                harmless = how == kind == "read" or how == kind == "atomic"
                if other != task and not harmless and own.get(other, 0) < clock:
                    found.setdefault(name, i)
            seen[name].append((task, kind, own[task]))
            if kind == "atomic":
                clocks["atomic", name] = dict(own)
        elif thing == "c0":
            if not met:
                partner = rows[i + 1][1]
                theirs = clocks["task", partner]
                theirs[partner] = theirs.get(partner, 0) + 1
                take(own, theirs)
                take(theirs, own)
            met = not met
        elif kind == "send":
            name = str(thing)
            room = sent[name] - CAPACITIES[name]  # the receive that made room for this send
            take(own, freed[name][room] if room >= 0 else {})
            sent[name] += 1
            queues[name].append(dict(own))
        elif kind == "recv":
            name = str(thing)
            take(own, queues[name].pop(0))
            freed[name].append(dict(own))
        elif kind == "spawn":
            take(clocks["task", thing], own)
        elif kind == "join":
            take(own, clocks["task", thing])
        elif kind in ("lock", "read_lock", "wait", "wait_group_wait"):
            take(own, clocks["free", thing])
            if kind == "lock":
                take(own, clocks["read", thing])
        else:
            take(clocks["read" if kind == "read_unlock" else "free", thing], own)
    return found


@settings(max_examples=400)
@given(histories)
def test_the_first_race_of_every_variable_is_the_slow_detectors(rows: list[Row]) -> None:
    operations = history(rows)
    found = detect(operations, TASKS)
    firsts: dict[str, int] = {}
    for _, later in found.pairs.tolist():
        firsts.setdefault(str(rows[later][2]), later)
    assert firsts == first_races(rows)
    assert int(found.count.sum()) == len(found.pairs)


@settings(max_examples=100)
@given(histories)
def test_both_accesses_of_a_race_are_of_two_tasks_and_one_writes(rows: list[Row]) -> None:
    for earlier, later in detect(history(rows), TASKS).pairs.tolist():
        (first, one, x), (second, other, y) = rows[earlier], rows[later]
        assert earlier < later and one != other and x == y
        assert {first, second} not in ({"read"}, {"atomic"})
