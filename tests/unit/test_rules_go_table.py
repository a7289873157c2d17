"""Which test shows which rule of Go's scheduler; what is left out stands in the runtime's docstring."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.unit import test_engine_schedules, test_rules_go_queues, test_rules_go_sync, test_rules_go_threads
from tracekit.models.runtimes import go

RULES: dict[str, tuple[ModuleType, tuple[str, ...]]] = {
    "runqput: runnext, and the order of the others": (
        test_rules_go_queues, ("runqput_the_last_readied_is_next_and_the_others_keep_their_order",)),
    "runqputslow: 128 and the new one to the global queue; every 61st schedtick; globrunqgetbatch": (
        test_rules_go_queues,
        ("runqputslow_globrunqget_and_globrunqgetbatch", "globrunqgetbatch_takes_a_share_and_one")),
    "execute: a slice inherited through runnext": (
        test_rules_go_queues, ("execute_a_pair_that_hands_over_through_runnext_shares_one_slice",)),
    "goschedImpl: to the global queue's end": (
        test_rules_go_queues, ("goschedimpl_yields_to_the_end_of_the_global_queue",)),
    "runqgrab, runqsteal: the older half, the newest of it runs; runnext last, after a sleep": (
        test_rules_go_queues,
        ("runqgrab_takes_the_older_half_and_runs_its_newest", "runqgrab_leaves_runnext_to_a_p_that_is_about_to_run_it",
         "runqgrab_takes_runnext_of_a_p_in_a_system_call_at_once", "stealwork_can_be_switched_off")),
    "wakep, resetspinning": (
        test_rules_go_queues, ("wakep_wakes_one_m_at_a_time", "resetspinning_wakes_the_next_m")),
    "gfget": (test_rules_go_queues, ("gfget_uses_a_dead_goroutine_again",)),
    "newstack: doubling": (test_engine_schedules, ("stacks_double",)),
    "retake: preemption": (
        test_engine_schedules, ("go_preempts_after_ten_milliseconds_and_queues_globally",)),
    "sysmon: adaptive sleep, its CPU time, the network after 10 ms": (
        test_rules_go_threads,
        ("sysmon_looks_ever_less_often", "sysmon_takes_cpu_time_on_its_kernel_thread",
         "sysmon_polls_the_network_when_nobody_did_for_ten_ms")),
    "retake: Ps in system calls": (
        test_rules_go_threads,
        ("retake_takes_a_p_with_work_from_the_first_system_call_at_once", "retake_takes_a_p_with_work_at_the_second_look",
         "retake_leaves_a_p_without_work_for_ten_ms")),
    "handoffp": (test_rules_go_threads, ("handoffp_starts_an_m_that_runs_what_is_queued",)),
    "exitsyscall": (
        test_rules_go_threads,
        ("exitsyscall_without_a_p_goes_to_the_global_queue", "exitsyscalltrygetp_takes_its_old_p_back_from_a_system_call",
         "retake_leaves_a_p_without_work_for_ten_ms")),
    "netpoll: whole milliseconds, order of what is ready; injectglist": (
        test_rules_go_threads,
        ("netpoll_waits_whole_milliseconds", "netpoll_sleeps_again_for_the_rest",
         "netpoll_the_last_ready_is_the_first_to_run", "injectglist_starts_an_m_for_each_idle_p")),
    "timers: of each P, stolen in the last pass, wakeNetPoller": (
        test_rules_go_threads,
        ("timers_check_runs_a_busy_ps_timers_at_its_next_turn", "timers_check_readies_in_the_order_of_expiry",
         "stealwork_runs_the_timers_of_others_in_its_last_pass",
         "wakenetpoller_an_earlier_timer_makes_the_poller_sleep_anew")),
    "sync.Mutex: barging, starvation, goyield, spinning": (
        test_rules_go_sync,
        ("mutex_starves_after_one_ms_and_hands_over", "mutex_without_starvation_lets_the_unlocker_go_on",
         "mutex_spins_before_it_waits", "mutex_does_not_spin_with_work_in_the_local_queue_or_one_cpu")),
    "sync.RWMutex": (
        test_rules_go_sync,
        ("rwmutex_unlock_lets_all_waiting_readers_in", "rwmutex_a_waiting_writer_keeps_new_readers_out")),
    "sync.WaitGroup": (test_rules_go_sync, ("wait_group_readies_all_waiters_in_order",)),
    "channels: direct hand-over": (
        test_rules_go_sync,
        ("chan_send_hands_over_and_the_sender_goes_on",
         "chan_recv_from_a_full_channel_moves_the_waiting_senders_message_in")),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_its_test(rule: str) -> None:
    module, names = RULES[rule]
    assert all(callable(getattr(module, f"test_{name}", None)) for name in names)


def test_every_picture_belongs_to_a_rule() -> None:
    for module in (test_rules_go_queues, test_rules_go_sync, test_rules_go_threads):
        listed = {f"test_{name}" for found, names in RULES.values() if found is module for name in names}
        assert listed == {name for name in vars(module) if name.startswith("test_")}


def test_what_is_left_out_is_said() -> None:
    assert "Left out:" in go.RUNTIME.doc
