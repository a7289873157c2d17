"""Which test shows which rule of Linux's scheduler, and which rules are left out, and why.

LEFT_OUT stands word by word in the docstrings that `tracekit models` prints.
"""

from __future__ import annotations

EEVDF, FAIR, CFS = "test_rules_eevdf", "test_rules_fair", "test_rules_cfs"
PLACEMENT, BALANCE, COSTS, BANDWIDTH = (
    "test_rules_placement",
    "test_rules_balance",
    "test_rules_costs",
    "test_rules_bandwidth",
)
PIPES = "test_engine_pipes"

# (number, rule, place in the source, module, test)
SHOWN = (
    # variables
    ("2.1", "weight by nice value", "sched_prio_to_weight", FAIR, "test_nice_weights"),
    ("2.1", "one step of nice is a tenth of the CPU", "sched_prio_to_weight", FAIR, "test_one_step_of_nice_is_about_a_tenth_of_the_cpu"),
    ("2.1", "virtual time by weight", "calc_delta_fair", EEVDF, "test_weight_slows_virtual_time"),
    ("2.1", "slice by number of CPUs", "sched_update_scaling", FAIR, "test_the_base_slice_grows_with_the_cpus"),
    ("2.1", "eligible: v is not above V", "vruntime_eligible", EEVDF, "test_expiry_is_seen_at_ticks"),
    ("2.1", "lag is clamped", "entity_lag", EEVDF, "test_lag_is_clamped_to_a_slice_and_a_tick"),
    # accounting
    ("2.2", "deadline moves on, seen at ticks", "update_deadline", EEVDF, "test_expiry_is_seen_at_ticks"),
    ("2.2", "no high-resolution tick", "hrtick", FAIR, "test_expiry_is_not_seen_between_ticks"),
    ("2.2", "ticks are locked to the clock", "tick_setup_sched_timer", EEVDF, "test_ticks_have_a_phase"),
    ("2.2", "ticks of CPUs may be skewed", "tick_setup_sched_timer", FAIR, "test_skewed_ticks"),
    ("2.2", "a lone thread is never rescheduled", "update_curr", FAIR, "test_a_lone_thread_is_left_alone"),
    # pick
    ("2.3", "earliest eligible deadline", "pick_eevdf", FAIR, "test_the_earliest_eligible_deadline_runs"),
    ("2.3", "a sleeper that is picked leaves", "pick_next_entity", EEVDF, "test_a_sleeper_that_owes_stays_queued"),
    ("2.3", "run to parity", "set_protect_slice", EEVDF, "test_a_picked_thread_is_protected"),
    # placement on the line of virtual time
    ("2.4", "a sleeper takes its lag along", "place_entity", EEVDF, "test_a_sleeper_takes_its_lag_along"),
    ("2.4", "a new thread has half a slice", "place_entity", EEVDF, "test_a_new_thread_has_half_a_slice"),
    ("2.4", "a moved thread keeps lag and deadline", "place_entity", BALANCE, "test_a_pulled_thread_keeps_its_lag"),
    ("2.4", "a sleeper that owes stays queued", "dequeue_entity", EEVDF, "test_a_sleeper_that_owes_stays_queued"),
    ("2.4", "woken in the queue it keeps its place", "requeue_delayed_entity", EEVDF, "test_a_woken_delayed_sleeper_keeps_its_place"),
    ("2.4", "a lone thread leaves without lag", "update_entity_lag", EEVDF, "test_a_lone_thread_sleeps_without_lag"),
    ("2.4", "a delayed wakee chooses no CPU", "ttwu_runnable", PLACEMENT, "test_a_delayed_wakee_chooses_no_cpu"),
    # wakeup preemption
    ("2.5", "the running thread is not eligible", "check_preempt_wakeup_fair", EEVDF, "test_a_sleeper_takes_its_lag_along"),
    ("2.5", "its protection is over", "check_preempt_wakeup_fair", EEVDF, "test_a_wakee_preempts_when_the_protection_is_over"),
    ("2.5", "its slice is over and others wait", "update_curr", EEVDF, "test_a_wakeup_sees_a_slice_that_is_over"),
    ("2.5", "fork, 6.18 and 6.19", "wakeup_preempt_fair", EEVDF, "test_a_new_thread_has_half_a_slice"),
    ("2.5", "6.19: the pick flushes sleepers", "wakeup_preempt_fair", EEVDF, "test_sleepers_in_the_way_of_the_pick_leave_the_queue"),
    # up to 6.5
    ("2.5", "cfs: slice", "sched_slice", CFS, "test_a_slice_is_a_share_of_the_latency_seen_at_ticks"),
    ("2.5", "cfs: smallest v", "pick_next_entity", CFS, "test_the_smallest_virtual_run_time_runs"),
    ("2.5", "cfs: weights", "sched_slice", CFS, "test_weights_share_the_period"),
    ("2.5", "cfs: sleeper credit", "place_entity", CFS, "test_a_sleeper_gets_half_a_period_of_credit"),
    ("2.5", "cfs: no gain by short sleeps", "place_entity", CFS, "test_credit_is_no_gain_for_a_short_sleep"),
    ("2.5", "cfs: wakeup granularity", "wakeup_preempt_entity", CFS, "test_a_wakee_less_than_the_granularity_behind_waits"),
    ("2.5", "cfs: scaling", "sched_update_scaling", CFS, "test_times_grow_with_the_cpus"),
    ("2.5", "cfs: many threads", "__sched_period", CFS, "test_many_threads_stretch_the_period"),
    ("2.5", "cfs: yield", "yield_task_fair", CFS, "test_a_yield_lets_only_who_is_behind_run"),
    ("2.5", "cfs: migration", "migrate_task_rq_fair", CFS, "test_a_pulled_thread_stays_as_far_from_the_smallest_time"),
    # choice of CPU
    ("2.6", "idle sibling", "select_idle_sibling", PLACEMENT, "test_a_wakee_goes_to_the_idle_sibling"),
    ("2.6", "recently used CPU", "select_idle_sibling", PLACEMENT, "test_a_wakee_goes_to_the_cpu_before_the_last"),
    ("2.6", "sync wakeups pull", "wake_affine_idle", PLACEMENT, "test_a_sync_wakeup_pulls_to_the_wakers_cpu"),
    ("2.6", "new threads: idlest CPU", "sched_balance_find_dst_cpu", PLACEMENT, "test_a_wakee_goes_to_the_cpu_before_the_last"),
    ("2.6", "new threads: none idles", "group_is_overloaded", PLACEMENT, "test_a_new_thread_leaves_its_creator_s_cpu_once_it_is_overloaded"),
    ("2.6", "many partners", "wake_wide", PLACEMENT, "test_threads_with_many_partners_are_left_where_they_were"),
    # balancing
    ("2.7", "newly idle", "sched_balance_newidle", BALANCE, "test_a_cpu_that_goes_idle_pulls_one_thread"),
    ("2.7", "newly idle, of threads that never ran", "can_migrate_task", PLACEMENT, "test_an_idle_cpu_pulls_a_thread_that_waits"),
    ("2.7", "cache hot", "task_hot", BALANCE, "test_newly_idle_leaves_a_cache_hot_thread_and_the_tick_moves_it"),
    ("2.7", "idle CPUs by the tick of others", "nohz_balancer_kick", BALANCE, "test_newly_idle_leaves_a_cache_hot_thread_and_the_tick_moves_it"),
    ("2.7", "half the difference at once", "detach_tasks", BALANCE, "test_a_tick_evens_out_with_an_idle_cpu"),
    ("2.7", "periodic, 2 to 1", "get_sd_balance_interval", BALANCE, "test_a_split_of_two_to_one_is_turned_around_every_32_ms"),
    ("2.7", "imbalance of 17 %", "imbalance_pct", BALANCE, "test_a_difference_within_17_percent_is_left"),
    ("2.7", "hot after two tries", "cache_nice_tries", BALANCE, "test_a_hot_thread_moves_after_two_tries"),
    ("2.7", "delayed threads stay", "can_migrate_task", BALANCE, "test_a_sleeper_that_stays_queued_is_not_pulled"),
    # bandwidth, real time, yield
    ("2.8", "throttling and periods", "account_cfs_rq_runtime", BANDWIDTH, "test_a_cpu_is_throttled_at_the_tick_that_sees_its_quota_used_up"),
    ("2.8", "pools of CPUs", "assign_cfs_rq_runtime", BANDWIDTH, "test_cpus_share_the_quota"),
    ("2.8", "FIFO", "enqueue_task_rt", FAIR, "test_fifo_runs_in_the_order_of_arrival"),
    ("2.8", "FIFO: yield", "yield_task_rt", FAIR, "test_fifo_yields_to_the_tail"),
    ("2.8", "round robin", "task_tick_rt", FAIR, "test_round_robin_takes_turns"),
    ("2.8", "round robin: rest of a slice", "task_tick_rt", FAIR, "test_round_robin_keeps_the_rest_of_a_slice"),
    ("2.8", "round robin: alone", "task_tick_rt", FAIR, "test_round_robin_renews_the_slice_of_a_thread_that_is_alone"),
    ("2.8", "yield of the eligible", "yield_task_fair", FAIR, "test_a_yield_gives_up_the_request"),
    ("2.8", "yield of who is ahead", "yield_task_fair", EEVDF, "test_a_yield_of_who_is_ahead_moves_no_deadline"),
    # costs
    ("2.9", "six ASIDs", "choose_new_asid", COSTS, "test_six_address_spaces_keep_their_tlb_entries"),
    ("2.9", "a seventh flushes", "choose_new_asid", COSTS, "test_a_seventh_address_space_has_each_switch_flush"),
    ("2.9", "threads share a mapping", "switch_mm_irqs_off", COSTS, "test_threads_do_not_change_the_address_space"),
    ("2.9", "lazy mappings", "enter_lazy_tlb", COSTS, "test_kernel_threads_keep_the_mapping_they_find"),
    ("2.9", "fork by resident size", "copy_page_range", COSTS, "test_fork_copies_page_tables_by_resident_size"),
    ("2.9", "copy on write", "do_wp_page", COSTS, "test_a_forked_child_copies_pages_when_it_first_runs"),
    ("2.9", "pages at once", "exit_mmap", COSTS, "test_of_an_ended_process_pages_are_free_at_once_and_page_tables_later"),
    ("2.9", "first pages", "", COSTS, "test_the_first_page_of_a_threads_stack_is_there_and_none_of_a_forked_child"),
    ("2.9", "pages of pipes", "anon_pipe_put_page", COSTS, "test_pipes_hold_pages_beside_their_processes"),
    ("2.9", "messages are copied", "pipe_write", COSTS, "test_messages_between_processes_are_copied"),
    ("2.9", "caches by footprint", "", COSTS, "test_footprints_push_each_other_out_of_l1"),
    ("2.9", "caches after a migration", "", COSTS, "test_on_another_cpu_both_caches_are_cold"),
    ("2.9", "caches of footprints that fit", "", COSTS, "test_footprints_that_fit_cost_nothing"),
    ("2.9", "caches by one figure", "", COSTS, "test_a_migration_costs_one_figure_or_nothing"),
    ("2.9", "idle exit", "", COSTS, "test_an_idle_exit_is_apart_from_the_switch"),
    ("2.9", "pipes hold whole pages", "pipe_resize_ring", PIPES, "test_a_pipe_has_a_power_of_two_of_pages"),
    ("2.9", "timer slack", "hrtimer_nanosleep", FAIR, "test_timer_slack_delays_fair_sleepers"),
    ("2.9", "ticks take time", "", COSTS, "test_ticks_take_their_share_of_computing"),
    # what needs an event at all
    ("2.10", "a tick that can change nothing is none", "update_curr", FAIR, "test_a_lone_thread_is_left_alone"),
    ("2.10", "computing is one event", "update_curr", FAIR, "test_computing_costs_one_event_however_long"),
)  # fmt: skip

# by the module whose docstring says it
LEFT_OUT = {
    "eevdf": (
        "Groups (autogroup), SCHED_IDLE and SCHED_BATCH: programs do not say them.",
        "Slices of a thread's own (sched_setattr) and preemption by shorter ones (PREEMPT_SHORT): all slices are equal.",
        "Buddies (NEXT_BUDDY): off as is the default; then sync wakeups change no preemption either.",
        "Lazy preemption (PREEMPT_LAZY): a thread leaves when it is to, as in the preemption models before it.",
    ),
    "cfs": ("Groups and buddies (NEXT_BUDDY, LAST_BUDDY): a yield only lets the smallest v run.",),
    "placement": (
        "wake_affine_weight, which compares loads averaged over 32 ms.",
        "A limit to the search (SIS_UTIL), and cores of several hardware threads (SMT): CPUs share only their last cache.",
        "The list of remote wakeups (TTWU_QUEUE): it is part of idle_exit_ns.",
    ),
    "balancing": (
        "Loads averaged over 32 ms (PELT); a load is the number of threads.",
        "Learning when a search pays (avg_idle, max_newidle_lb_cost, newidle_ratio): the profile says once for all.",
        "Active balancing of a running thread, and keeping back threads that are not eligible at the destination.",
    ),
    "bandwidth": (
        "Burst; the slack timer, which hands returned time on within a period.",
        "Throttling of each thread on its way to user space (6.18): the CPU is throttled where time is accounted.",
    ),
    "fifo": (
        "Several priorities, real-time throttling and the fair server: all threads have one priority, and none is fair.",
    ),
    "caches": (
        "Page table isolation and predictor barriers (KPTI, IBPB): they are not active on the reference machine.",
        "exec: a process is forked and runs its parent's program.",
    ),
}  # fmt: skip

# Tests in the files of rules that show no rule of the kernel's: what stops a run.
BESIDES = (
    "test_a_thread_starved_beside_an_idle_cpu_stops_the_run",
    "test_time_does_not_overflow",
    "test_no_step_is_too_long_to_add_up",
    "test_no_size_or_count_wraps",
)
