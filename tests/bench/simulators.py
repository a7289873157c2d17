"""Beside general simulators: SimPy on the same time-shared work, and an M/M/1 queue beside published figures."""

from __future__ import annotations

import time
from typing import Any

from tests.bench.engine import loop_rate
from tests.bench.registry import Measurement, MissingError, benchmark

TASKS, CPUS, SLICE_NS, SLICES = 100, 2, 4_000_000, 2_000
ARRIVAL_NS, SERVICE_NS, CUSTOMERS = 1_000, 900, 400_000

# ns an event, as published; the machine in brackets. An M/M/1 customer is about four events there.
PUBLISHED = (
    ("Cimba 3, C", 23.8, "42 M events/s on one core, README (Threadripper 3970X)"),
    ("cimba for Python, compiled", 24.0, "0.096 s for 1 M objects (Ryzen 9700X)"),
    ("cimba in C, same table", 21.0, "0.083 s for 1 M objects (Ryzen 9700X)"),
    ("SimPy 4, same table", 653.0, "2.612 s for 1 M objects (Ryzen 9700X)"),
    ("salabim", None, "no figure published"),
)


def _simpy() -> Any:
    try:
        import simpy
    except ImportError:
        raise MissingError("SimPy: pip install 'tracekit[bench]'") from None
    return simpy


def simpy_slices() -> float:
    """Time slices a second in SimPy: tasks that take turns on CPUs, a slice at a time, each slice written down."""
    simpy = _simpy()
    environment = simpy.Environment()
    cpus = simpy.Resource(environment, CPUS)
    rows: list[tuple[int, int, int]] = []

    def task(number: int) -> Any:
        for _ in range(SLICES // 20):
            with cpus.request() as turn:
                yield turn
                began = environment.now
                yield environment.timeout(SLICE_NS)
                rows.append((number, began, environment.now))

    for number in range(TASKS):
        environment.process(task(number))
    began = time.perf_counter()
    environment.run()
    return len(rows) / (time.perf_counter() - began)


def our_slices() -> float:
    """The same here, with all tables: the best of three."""
    from tests.programs import free_profile, program
    from tracekit.engine.replay import replay

    work = program({f"t{i}": [("compute", SLICES * SLICE_NS)] for i in range(TASKS)})
    options: dict[str, Any] = {
        "cpus": CPUS, "kernel": "round_robin", "profile": free_profile(tick_period_ns=SLICE_NS),
        "parameters": {"round_robin.slice_ns": SLICE_NS},
    }  # fmt: skip
    replay(program({"a": [("compute", 1)]}), "thread", **options)
    best = 0.0
    for _ in range(3):
        began = time.perf_counter()
        replay(work, "thread", **options)
        best = max(best, TASKS * SLICES / (time.perf_counter() - began))
    return best


@benchmark("simpy", unit="slices/s", goal=20, reference="SimPy")
def simpy() -> Measurement:
    """Time slices a second, beside SimPy on the same machine."""
    theirs = simpy_slices()
    ours = our_slices()
    return Measurement(ours, theirs, ratio=ours / theirs)


MM1 = f"""
name = "mm1"
[objects.queue]
kind = "channel"
capacity = 1000000
[tasks.source]
start = "0ms"
steps = [{{ repeat = {CUSTOMERS}, steps = [
  {{ sleep = {{ exponential = "{ARRIVAL_NS}ns" }} }}, {{ send = "queue", bytes = 0 }} ] }}]
[tasks.server]
start = "0ms"
steps = [{{ repeat = {CUSTOMERS}, steps = [
  {{ recv = "queue" }}, {{ compute = {{ exponential = "{SERVICE_NS}ns" }} }} ] }}]
"""


def simpy_mm1() -> float:
    """Nanoseconds a customer of the same queue in SimPy."""
    import random

    simpy = _simpy()
    environment, chance, customers = simpy.Environment(), random.Random(1), CUSTOMERS // 20
    store = simpy.Store(environment)

    def source() -> Any:
        for _ in range(customers):
            yield environment.timeout(chance.expovariate(1 / ARRIVAL_NS))
            yield store.put(environment.now)

    def server() -> Any:
        for _ in range(customers):
            yield store.get()
            yield environment.timeout(chance.expovariate(1 / SERVICE_NS))

    environment.process(source())
    environment.process(server())
    began = time.perf_counter()
    environment.run()
    return (time.perf_counter() - began) / customers * 1e9


def our_mm1() -> tuple[float, float]:
    """Nanoseconds an event of the loop, and nanoseconds a customer with all tables."""
    from tests.programs import free_profile
    from tracekit.engine.replay import replay
    from tracekit.program.synthesize import synthesize
    from tracekit.program.workload import parse_workload

    work = synthesize(parse_workload(MM1, where="mm1"), seed=1)
    options: dict[str, Any] = {"cpus": 2, "profile": free_profile(), "kernel": "fifo"}
    per_event = 1e3 / loop_rate("thread", work, **options)
    began = time.perf_counter()
    replay(work, "thread", **options)
    return per_event, (time.perf_counter() - began) / CUSTOMERS * 1e9


@benchmark("mm1", unit="ns/event", goal=100, better="lower", reference="Cimba's README")
def mm1() -> Measurement:
    """An M/M/1 queue of a source and a server on two CPUs, beside published figures and SimPy here."""
    per_event, per_customer = our_mm1()
    print("  M/M/1, ns an event (a customer is about 4 events), not on one machine:")
    print(f"  {'tracekit, loop':28} {per_event:7.1f}  here; a customer, with all tables: {per_customer:.0f} ns")
    try:
        customer_ns = simpy_mm1()
        print(f"  {'SimPy 4':28} {customer_ns / 4:7.1f}  here; a customer: {customer_ns:.0f} ns")
    except MissingError as missing:
        print(f"  {missing}")
    for name, event_ns, source in PUBLISHED:
        print(f"  {name:28} {'–' if event_ns is None else f'{event_ns:.1f}':>7}  {source}")
    return Measurement(per_event, PUBLISHED[0][1], ratio=per_event)
