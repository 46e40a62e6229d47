//! Which promises there are, by subject: the one list that tests and tables are made of.

/// One test for each promise of the conformance suite, on a backend that a [`Harness`](crate::Harness) opens.
///
/// The tests need nothing else: they start runtimes of their own. See [`Harness`](crate::Harness) for a whole one.
#[macro_export]
macro_rules! conformance {
    ($harness:ty) => {
        mod conformance {
            #[allow(unused_imports, reason = "the harness may be named by a path")]
            use super::*;
            $crate::__promises! { [tests $harness] }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promises {
    ($way:tt) => {
        $crate::__each_promise! { $way
            enqueue {
                a_task_that_was_taken_in_is_pending_and_keeps_all_that_was_said_of_it
                the_same_task_enqueued_again_is_answered_as_there_and_runs_once
                another_task_under_an_id_that_is_there_changes_nothing
                each_message_of_a_batch_has_an_answer_in_its_place
                a_batch_of_a_thousand_comes_in_and_out_whole
                an_empty_batch_is_answered_with_no_answers
                named_queues_share_no_ids_and_no_tasks
                an_id_that_nobody_enqueued_is_not_found
                ids_of_every_allowed_form_are_kept_apart
                the_message_of_a_task_that_is_not_final_is_given_as_it_was_enqueued
                an_enqueue_says_how_durable_it_is
                the_time_of_an_enqueue_is_the_backends
                params_of_any_bytes_travel_as_they_are
            }
            claim {
                a_claimed_task_runs_with_its_attempt_counted_and_its_worker_named
                tasks_of_one_priority_start_in_the_order_of_their_enqueues
                a_batch_keeps_its_order_whatever_its_tasks_say
                no_task_is_given_out_twice_however_many_claim_at_once
                the_same_claim_again_gives_the_same_tasks_and_counts_no_attempt
                eight_claims_under_way_are_each_answered_again
                a_claim_that_was_acknowledged_gives_nothing_any_more
                a_claim_for_no_tasks_takes_none
                a_claim_says_whether_more_is_due
                a_claim_brings_about_as_many_bytes_as_asked_for_and_at_least_one_task
                a_claim_that_eight_others_have_overtaken_gives_nothing
                a_claim_says_when_to_look_again
            }
            settle {
                a_stale_settlement_fails_nothing_but_itself
                a_claim_that_travels_with_settlements_is_carried_out_after_them
                the_claim_of_a_closed_worker_is_refused_beside_its_settlements
                no_settlements_at_all_are_answered_with_no_answers
                good_work_is_taken_while_its_token_is_current_however_late
                an_attempt_that_has_ended_can_not_end_otherwise
                what_is_given_back_together_keeps_its_order
            }
            fencing {
                a_settlement_sent_again_is_already_done_and_changes_nothing
                a_retry_sent_again_is_already_done_and_counts_once
                a_worker_that_was_released_can_not_settle_what_it_held
                the_token_of_an_earlier_attempt_is_stale
            }
            resend {
                an_enqueue_sent_again_is_answered_as_there
                a_claim_that_was_answered_empty_may_bring_tasks_when_it_is_sent_again
                a_claim_that_waits_and_was_answered_unheard_is_answered_so_again
                a_claim_sent_again_brings_what_is_still_held_of_it
                a_claim_that_arrives_after_a_later_one_brings_tasks_too
                a_heartbeat_sent_again_changes_nothing
                a_release_sent_again_gives_nothing_back_twice
                a_cancel_sent_again_says_how_it_is
                commands_sent_again_say_how_it_is
            }
            control {
                a_waiting_task_is_cancelled_at_once_and_never_runs
                a_cancel_of_a_running_task_reaches_its_worker_and_wins_over_anything_but_a_value
                a_paused_queue_gives_nothing_out_until_it_is_resumed
                a_replayed_task_runs_again_under_its_id_with_its_counts_reset
                a_deleted_task_is_forgotten_with_its_id
                a_purge_cancels_what_waits_and_leaves_what_runs
                a_queue_at_its_limit_takes_nothing_in_until_it_has_drained
                a_task_is_cancelled_wherever_it_waits
                a_task_that_was_cancelled_and_replayed_runs_once
                a_pause_stops_claims_and_nothing_else
                a_full_queue_goes_on_with_what_it_has
            }
            unique {
                a_key_is_free_as_soon_as_its_task_is_cancelled_purged_expired_or_crashed_for_good
                a_key_is_held_through_retries_releases_and_crashes
                a_key_is_unique_among_tasks_of_its_name_or_in_its_whole_queue
                of_one_batch_only_the_first_task_gets_the_key
                a_replay_takes_the_key_again_or_says_who_holds_it
                a_key_is_free_after_its_task_was_deleted
            }
            heartbeat {
                commands_are_heard_once_in_their_order_by_the_worker_that_they_are_for
                a_command_is_told_again_until_a_beat_says_that_it_was_heard
                a_beat_tells_of_another_concurrency
                a_command_for_a_worker_that_is_not_there_finds_nobody
                a_command_ends_the_wait_of_a_heartbeat
                a_cancel_ends_the_wait_of_the_heartbeat_of_the_worker_that_has_the_task
                a_heartbeat_of_a_closed_worker_is_answered_at_once
                progress_shows_in_the_record_until_the_task_is_tried_again
                progress_with_a_token_that_is_not_the_current_one_changes_nothing
                the_time_of_progress_is_the_backends
            }
            lease {
                the_tasks_of_a_worker_whose_lease_ended_run_elsewhere
                a_worker_that_beats_keeps_its_tasks_however_long_they_take
                a_worker_whose_lease_ended_goes_on_under_its_next_generation
                after_an_outage_live_workers_keep_what_they_hold
                after_an_outage_a_worker_that_stays_away_is_dead
                a_release_gives_back_at_once_and_closes_every_generation
                what_a_dead_worker_held_comes_back_in_the_order_in_which_it_was_given
                a_release_of_a_worker_that_never_claimed_keeps_it_out
                a_task_whose_worker_dies_too_often_has_failed
                a_task_whose_cancel_was_asked_for_is_cancelled_when_its_worker_dies
                a_failed_task_stays_failed_when_its_worker_dies
                a_release_gives_back_everything_however_much_it_is
            }
            unheld {
                what_a_worker_holds_no_more_is_given_back_at_its_next_beat_and_counts_a_crash
                a_beat_that_arrives_late_takes_nothing_that_was_claimed_since
                of_a_claim_that_a_beat_leaves_out_nothing_is_taken
                what_is_held_no_more_ends_as_the_task_of_a_dead_worker_would
                what_is_held_no_more_comes_back_in_its_order_however_much_it_is
                a_suspect_that_is_held_no_more_stands_in_no_others_way
                a_claim_that_waits_is_woken_by_what_another_worker_holds_no_more
            }
            suspects {
                a_suspect_runs_alone_and_only_in_a_worker_that_holds_nothing
                a_worker_that_holds_something_gets_no_suspect_whatever_it_says
                one_worker_at_a_time_is_asked_to_run_empty_for_a_suspect
                another_worker_is_asked_to_run_empty_when_the_asked_one_is_gone
                a_worker_hears_at_once_that_it_need_not_run_empty_any_more
                nobody_is_asked_to_run_empty_while_the_queue_is_paused
                a_suspect_that_is_tried_again_or_given_back_is_one_still
                a_suspect_that_was_replayed_is_none_any_more
                a_suspect_of_an_unknown_name_runs_alone_in_a_worker_that_knows_it
            }
            lifecycle {
                every_row_of_the_table_of_states_is_walked
                a_pending_task_that_is_claimed_is_running
                a_pending_task_that_expires_is_cancelled
                a_pending_task_that_is_cancelled_is_cancelled_at_once
                a_pending_task_whose_name_nobody_knows_has_failed_in_the_end
                a_task_between_attempts_that_is_cancelled_is_cancelled_at_once
                a_task_between_attempts_is_pending_when_its_backoff_is_over
                a_running_task_that_returns_a_value_is_completed
                a_running_task_that_says_skip_is_skipped
                a_running_task_that_fails_with_retries_left_is_tried_again
                a_running_task_that_fails_for_good_has_failed
                a_running_task_that_ends_after_a_cancel_is_cancelled
                a_running_task_that_is_given_back_is_pending
                a_running_task_that_its_worker_does_not_know_is_pending
                a_running_task_whose_worker_dies_is_pending
                a_running_task_whose_worker_died_once_too_often_has_failed
                a_failed_task_that_is_replayed_is_pending
                a_cancelled_task_that_is_replayed_is_pending
            }
            counts {
                the_last_ten_errors_of_a_task_are_kept_each_with_its_attempt
                a_task_of_which_nothing_is_said_fails_at_its_fourth_crash
                a_task_given_back_by_workers_that_stop_is_given_back_without_end
            }
            queues {
                a_unique_key_is_held_in_its_named_queue_alone
                a_command_for_one_named_queue_leaves_the_others_alone
                a_worker_is_released_in_one_named_queue_at_a_time
            }
            names {
                a_task_of_an_unknown_name_waits_for_a_worker_that_knows_it_and_counts_nothing
                a_name_that_no_worker_knows_for_ten_minutes_fails_its_tasks
                a_name_that_a_live_worker_knows_is_not_given_up
                an_outage_gives_no_name_up
            }
            timing {
                the_highest_priority_goes_first
                a_delayed_task_starts_when_its_time_has_come
                a_failed_attempt_is_tried_again_after_its_backoff
                times_longer_than_any_clock_counts_to_overflow_nothing
                a_task_that_did_not_start_in_time_is_cancelled_as_expired
                a_task_that_only_workers_without_its_name_had_expires
                a_task_that_has_started_in_time_does_not_expire
                a_replayed_task_starts_at_once_and_does_not_expire_again
                a_unique_key_is_held_until_its_task_is_final_in_any_way
                counts_agree_with_what_happened
                what_has_expired_is_found_by_heartbeats_and_stats_even_while_the_queue_is_paused
            }
            retention {
                a_result_ends_with_its_retention_and_its_id_is_remembered_for_ten_minutes
                a_failure_is_kept_for_a_week_and_any_other_end_for_a_day
                the_retention_of_a_task_holds_for_each_of_its_ends
                over_the_cap_by_count_the_oldest_results_go_first_and_are_counted
                a_failure_over_the_cap_keeps_its_status_and_can_not_be_replayed
            }
            look {
                a_list_has_every_task_once_over_all_its_pages
                a_list_of_a_status_or_a_name_has_these_tasks_alone
                the_next_to_run_and_the_last_to_end_are_listed_first
                a_cursor_that_is_none_is_refused_with_words
                an_explanation_names_every_reason_why_a_task_waits
                an_explanation_says_that_a_suspect_waits_for_a_process_of_its_own
                named_queues_that_were_used_are_listed
                what_waits_is_counted_by_why_it_waits
                totals_count_each_thing_that_happened
                the_age_of_what_waits_longest_is_told
                workers_are_told_while_they_live_with_what_they_run
                a_queue_that_nobody_used_is_empty
                what_the_backend_does_not_claim_it_answers_as_unsupported
            }
            waiting {
                a_claim_that_waits_is_woken_by_an_enqueue
                a_claim_that_waits_is_woken_by_a_resume
                a_claim_that_waits_is_woken_when_a_delayed_task_is_due
                a_claim_that_waits_is_woken_by_what_another_worker_gives_back
                a_claim_that_waits_is_woken_by_the_release_of_another_worker
                a_claim_that_waits_is_woken_by_a_replay
                a_claim_that_waits_is_woken_for_a_name_that_its_worker_alone_knows
                as_many_claims_are_woken_as_tasks_come_in
                a_claim_that_was_dropped_while_it_waited_may_be_sent_again
                a_claim_answers_none_when_its_wait_is_over
                a_wait_for_a_result_ends_when_its_task_does
                a_wait_for_a_result_answers_how_it_stands_when_its_time_is_over
                a_wait_for_a_task_that_is_not_there_is_answered_at_once
                a_claim_waits_on_while_the_queue_is_paused
                a_wait_for_a_result_ends_however_its_task_ends
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __each_promise {
    ([tests $harness:ty] $($subject:ident { $($name:ident)* })*) => {$(
        mod $subject {
            #[allow(unused_imports, reason = "the harness may be named by a path")]
            use super::*;
            $(
                #[test]
                fn $name() {
                    $crate::__promise!($harness, $subject, $name).check();
                }
            )*
        }
    )*};
    ([table $harness:ident] $($subject:ident { $($name:ident)* })*) => {
        vec![$($($crate::__promise!($harness, $subject, $name)),*),*]
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise {
    ($harness:ty, $subject:ident, $name:ident) => {
        $crate::Promise::<$harness> {
            subject: stringify!($subject),
            name: stringify!($name),
            check: |harness| Box::pin($crate::conformance::$subject::$name(harness)),
        }
    };
}

/// Every promise of the suite, for a backend that this harness opens.
pub fn promises<H: crate::Harness>() -> Vec<crate::Promise<H>> {
    crate::__promises! { [table H] }
}
