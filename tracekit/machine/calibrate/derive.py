"""From what was measured to what models charge.

A hand-over on one CPU is measured whole; the engine charges it in parts: the send and the receive (`channel`), making
the receiver runnable (`wake`), the receiver's way into its wait (`block`) and the `switch`. Parts that can be
measured alone are; the last one is what is left, so that their sum is the measured whole. The same holds for
creating and ending. Each rule names the measurements (tracekit/native/calibrate/*.c and calibrate.go) that it is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Values = Mapping[str, float]


@dataclass(frozen=True)
class Rule:
    """How one cost follows from measurements and from costs derived before it."""

    cost: str
    needs: tuple[str, ...]
    how: str  # for people: the formula, or the words for it
    value: Callable[[Values], float]


def _difference(cost: str, whole: str, *parts: str, share: float = 1.0) -> Rule:
    how = " - ".join((whole, *parts)) if share == 1.0 else f"({' - '.join((whole, *parts))}) * {share:g}"
    return Rule(cost, (whole, *parts), how, lambda v: (v[whole] - sum(v[part] for part in parts)) * share)


def _form(form: str, channel: Rule, space: tuple[str, ...]) -> list[Rule]:
    """The rules that processes and threads share. `space`: what a switch between processes costs beyond."""
    f = form
    return [
        _difference(f"{f}_lock_ns", f"{f}_lock"),
        channel,
        _difference(f"{f}_yield_ns", "yield_alone"),
        _difference(f"{f}_switch_ns", "thread_yield_switch", "yield_alone"),
        _difference(f"{f}_wake_ns", f"{f}_send_to_sleeper", f"{f}_channel_ns", "clock"),
        _difference(f"{f}_block_ns", "futex_hand_over", f"{f}_wake_ns", f"{f}_switch_ns"),
        _difference(f"{f}_dequeue_ns", f"{f}_block_ns", f"{f}_futex_refused"),
        _difference(
            f"{f}_channel_block_ns", f"{f}_hand_over",
            f"{f}_channel_ns", f"{f}_channel_ns", f"{f}_wake_ns", f"{f}_switch_ns", *space,
        ),
    ]  # fmt: skip


_PIPE_COPIES_KIB = 2 * 32

# A child that ends at once and is waited for, on one CPU: the parent's fork, the child's turn, and the parent's way
# into its wait and out of it. Threads are measured in a crowd, as stacks that others left behind are soon used up.
_PROCESS_LIFE = (
    "fork_exit_wait_0_mib", "process_spawn_ns", "process_block_ns", "process_wake_ns",
    "process_switch_ns", "address_space_ns", "process_switch_ns", "address_space_ns",
)  # fmt: skip
_LIVES = [
    _difference("cow_pages", "pages_copied_by_a_child"),
    _difference("cow_fault_ns", "copied_page"),
    _difference("process_spawn_ns", "fork_0_mib"),
    Rule("process_exit_ns", (*_PROCESS_LIFE, "cow_pages", "cow_fault_ns"),
         " - ".join(_PROCESS_LIFE) + " - cow_pages * cow_fault_ns",
         lambda v: v[_PROCESS_LIFE[0]] - sum(v[n] for n in _PROCESS_LIFE[1:]) - v["cow_pages"] * v["cow_fault_ns"]),
    _difference("thread_spawn_ns", "thread_create_of_500"),
    _difference("thread_first_ns", "thread_cpu_time_at_start"),
    _difference("thread_exit_ns", "thread_run_and_end_of_500", "thread_switch_ns", "thread_first_ns"),
]  # fmt: skip


def _stack_fit(values: Values) -> tuple[float, float]:
    """Per growth, and per KiB copied: a new goroutine has 2 KiB and doubles until its frames fit (runtime/stack.go)."""
    rows, measured = [], []
    for kib in (4, 16, 64, 256):
        doublings = int(np.ceil(np.log2((kib + 1) / 2)))
        rows.append([doublings, sum(2 << n for n in range(doublings))])
        measured.append(values[f"stack_growth_to_{kib}_kib"])
    scale = np.array(measured)  # relative errors count, not absolute ones
    (growth, copy), *_ = np.linalg.lstsq(np.array(rows) / scale[:, None], np.ones(len(scale)), rcond=None)
    return float(growth), float(copy)


_STACKS = tuple(f"stack_growth_to_{kib}_kib" for kib in (4, 16, 64, 256))

C_RULES = [
    Rule("address_space_ns", ("process_yield_switch_2_spaces", "thread_yield_switch"),
         "process_yield_switch_2_spaces - thread_yield_switch",
         lambda v: v["process_yield_switch_2_spaces"] - v["thread_yield_switch"]),
    *_form("process", _difference("process_channel_ns", "pipe_write_read_1_byte", share=0.5), ("address_space_ns",)),
    *_form("thread", _difference("thread_channel_ns", "thread_channel"), ()),
    *_LIVES,
    _difference("thread_map_ns", "map_stack"),
    _difference("thread_advise_ns", "advise_stack"),
    _difference("thread_unmap_ns", "unmap_stack"),
    _difference("shootdown_ns", "unmap_stack_beside", "unmap_stack"),
    _difference("shootdown_answer_ns", "interrupted_by_unmap"),
    _difference("syscall_ns", "syscall"),
    _difference("copy_ns_per_kib", "pipe_write_read_32768_bytes", "pipe_write_read_1_byte",
                share=1 / _PIPE_COPIES_KIB),
    _difference("timer_arm_ns", "timer_arm"),
    _difference("timer_interrupt_ns", "timer_interrupt"),
    _difference("idle_enter_ns", "billed_for_a_wait", "timer_arm", "syscall_ns", "thread_block_ns", "thread_switch_ns"),
    _difference("idle_exit_ns", "process_wakeup_idle_5us", "process_switch_ns", "clock"),
    _difference("halt_ns", "halt", "thread_block_ns"),
    _difference("far_wake_ns", "wait_after_a_far_wake", "wait_beside_a_spinner"),
    _difference("resched_ns", "process_wakeup_preempting_other_cpu", "process_switch_ns", "address_space_ns", "clock"),
    _difference("timer_exit_ns", "timer_wakeup", "perf_event_ns", "thread_switch_ns"),
    _difference("timer_return_ns", "timer_wakeup_busy", "perf_event_ns", "thread_switch_ns"),
    _difference("timer_late_ns", "timer_overshoot_100us", "timer_arm", "timer_exit_ns", "thread_switch_ns"),
    _difference("timer_slack_ns", "timer_slack"),
    _difference("tick_ns", "tick"),
    _difference("tick_period_ns", "tick_period"),
    _difference("page_fault_ns", "page_fault"),
    _difference("line_ns", "line"),
    _difference("idle_wake_ns", "process_send_to_idle_cpu", "process_send_to_sleeper"),
    _difference("tlb_refill_ns", "process_yield_switch_16_spaces", "process_yield_switch_2_spaces"),
    _difference("fork_ns_per_mib", "fork_64_mib", "fork_0_mib", share=1 / 64),
    _difference("l1_bytes", "l1_bytes"),
    _difference("l2_bytes", "l2_bytes"),
    _difference("l1_refill_ns_per_kib", "l1_refill_of_16_kib", share=1 / 16),
    _difference("l2_refill_ns_per_kib", "l2_refill_of_256_kib", share=1 / 256),
    Rule("newidle_pulls", ("pulls_by_a_cpu_that_goes_idle",), "1 if most pulls_by_a_cpu_that_goes_idle",
         lambda v: float(v["pulls_by_a_cpu_that_goes_idle"] > 0.5)),
    Rule("wakes_spread", ("wakeups_that_move_to_an_idle_cpu",), "1 if most wakeups_that_move_to_an_idle_cpu",
         lambda v: float(v["wakeups_that_move_to_an_idle_cpu"] > 0.5)),
]  # fmt: skip

# Of a goroutine's hand-over only the sum shows: its parts are too short to be timed apart. Shares by what the
# functions do: gopark and goready take a lock and change a queue, schedule and execute look into several.
_GO_REST = ("goroutine_hand_over", "goroutine_channel_ns", "goroutine_channel_ns")
GO_RULES = [
    _difference("goroutine_lock_ns", "goroutine_lock", share=0.5),
    _difference("goroutine_spin_ns", "thirty_pauses"),
    _difference("goroutine_channel_ns", "goroutine_channel"),
    _difference("goroutine_switch_ns", *_GO_REST, share=0.4),
    _difference("goroutine_block_ns", *_GO_REST, share=0.3),
    Rule("goroutine_dequeue_ns", (), "0: gopark says that it waits when it has left", lambda v: 0.0),
    _difference("goroutine_channel_block_ns", *_GO_REST, share=0.3),
    _difference("goroutine_wake_ns", *_GO_REST, share=0.3),
    _difference("goroutine_yield_ns", "goroutine_yield_switch", "goroutine_switch_ns"),
    _difference("goroutine_spawn_ns", "goroutine_create"),
    _difference("goroutine_new_ns", "goroutine_create_new", "goroutine_create"),
    _difference("goroutine_exit_ns", "goroutine_run_and_end", "goroutine_switch_ns"),
    Rule("stack_growth_ns", _STACKS, "fit: growths * this + KiB copied * stack_copy_ns_per_kib",
         lambda v: _stack_fit(v)[0]),
    Rule("stack_copy_ns_per_kib", _STACKS, "fit: see stack_growth_ns", lambda v: _stack_fit(v)[1]),
]  # fmt: skip


def derive(measured: Values, rules: list[Rule]) -> dict[str, float]:
    """Costs by name, none below zero; a cost whose measurements are missing is left out."""
    known = dict(measured)
    found = {}
    for rule in rules:
        if all(name in known for name in rule.needs):
            found[rule.cost] = known[rule.cost] = max(rule.value(known), 0.0)
    return found
