"""Measurements become costs by rules that can be checked by hand, and a profile that says where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracekit.errors import ProfileError
from tracekit.machine.calibrate.derive import C_RULES, GO_RULES, derive
from tracekit.machine.calibrate.profile import save_profile, to_toml
from tracekit.machine.calibrate.rounds import Measurements
from tracekit.machine.costs import COSTS
from tracekit.machine.host import differences, host
from tracekit.machine.profile import load_profile, parse_profile

MEASURED = {
    "clock": 20.0, "yield_alone": 360.0, "thread_yield_switch": 660.0, "process_yield_switch_2_spaces": 750.0,
    "pipe_write_read_1_byte": 500.0, "process_send_to_sleeper": 1000.0, "process_hand_over": 2100.0,
    "process_lock": 5.0, "thread_lock": 5.0, "thread_channel": 10.0, "thread_send_to_sleeper": 1030.0,
    "thread_hand_over": 3600.0, "futex_hand_over": 2600.0,
}  # fmt: skip


def test_the_parts_of_a_hand_over_add_up_to_what_was_measured() -> None:
    costs = derive(MEASURED, C_RULES)
    for form, space in (("process", costs["address_space_ns"]), ("thread", 0)):
        ends = costs[f"{form}_wake_ns"] + costs[f"{form}_switch_ns"]
        through_a_channel = 2 * costs[f"{form}_channel_ns"] + costs[f"{form}_channel_block_ns"] + ends + space
        assert through_a_channel == pytest.approx(MEASURED[f"{form}_hand_over"])
        assert costs[f"{form}_block_ns"] + ends == pytest.approx(MEASURED["futex_hand_over"])


def test_a_cost_without_its_measurements_is_left_out_and_none_is_negative() -> None:
    costs = derive({**MEASURED, "process_hand_over": 10.0}, C_RULES)
    assert costs["process_channel_block_ns"] == 0
    assert "page_fault_ns" not in costs


def test_the_stack_fit_finds_the_costs_that_made_its_input() -> None:
    growth, copy = 150.0, 30.0
    sizes = {4: (2, 6), 16: (4, 30), 64: (6, 126), 256: (8, 510)}  # doublings from 2 KiB, KiB copied
    measured = {f"stack_growth_to_{kib}_kib": growth * n + copy * kept for kib, (n, kept) in sizes.items()}
    costs = derive(measured, GO_RULES)
    assert costs["stack_growth_ns"] == pytest.approx(growth)
    assert costs["stack_copy_ns_per_kib"] == pytest.approx(copy)


def test_every_rule_is_of_a_declared_cost() -> None:
    names = [rule.cost for rule in (*C_RULES, *GO_RULES)]
    assert set(names) <= set(COSTS)
    assert len(set(names)) == len(names)


def test_a_profile_says_what_is_measured_and_what_is_not(tmp_path: Path) -> None:
    found = Measurements({name: [0.9 * value, value, 1.1 * value] for name, value in MEASURED.items()}, ["busy"])
    profile = save_profile(found, tmp_path / "machine.toml", "here")
    assert profile.costs["thread_switch_ns"].value == 300
    assert profile.costs["thread_switch_ns"].low == 270
    assert profile.costs["thread_switch_ns"].source.startswith("measured: thread_yield_switch")
    assert profile.costs["page_fault_ns"].source.startswith("not measured; the reference's")
    assert profile.costs["page_fault_ns"].value == load_profile().costs["page_fault_ns"].value
    assert profile.warnings == ("busy",)
    assert not list(tmp_path.glob(".*"))
    assert parse_profile(to_toml(found, "here"), where="text").digest == profile.digest


def test_a_profile_of_an_earlier_version_takes_what_it_lacks_from_the_reference() -> None:
    lines = to_toml(Measurements({name: [1.0] for name in MEASURED}, []), "old").splitlines()
    old = parse_profile("\n".join(line for line in lines if not line.startswith("process_reclaim_bytes")), where="old")
    assert old.value("process_reclaim_bytes") == load_profile().value("process_reclaim_bytes")
    assert old.costs["process_reclaim_bytes"].source.startswith("not given; the reference's: ")
    assert old.warnings == ("no process_reclaim_bytes: the reference's is used",)
    with pytest.raises(ProfileError, match="unknown cost blok_ns"):
        parse_profile("[costs]\nblok_ns = { value = 1, source = 'me' }", where="new")


def test_another_machines_profile_is_told_by_its_cpu_and_kernel() -> None:
    assert differences(host()) == []
    assert differences({**host(), "cpu": "Z80"})[0].startswith("cpu Z80, here ")
