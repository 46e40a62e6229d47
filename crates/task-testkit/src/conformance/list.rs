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
            }
            claim {
                a_claimed_task_runs_with_its_attempt_counted_and_its_worker_named
                tasks_of_one_priority_start_in_the_order_of_their_enqueues
                no_task_is_given_out_twice_however_many_claim_at_once
                the_same_claim_again_gives_the_same_tasks_and_counts_no_attempt
                eight_claims_under_way_are_each_answered_again
                a_claim_that_was_acknowledged_gives_nothing_any_more
                a_claim_for_no_tasks_takes_none
                a_claim_says_whether_more_is_due
                a_claim_brings_about_as_many_bytes_as_asked_for_and_at_least_one_task
            }
            fencing {
                a_settlement_sent_again_is_already_done_and_changes_nothing
                a_retry_sent_again_is_already_done_and_counts_once
                a_worker_that_was_released_can_not_settle_what_it_held
                the_token_of_an_earlier_attempt_is_stale
            }
            control {
                a_waiting_task_is_cancelled_at_once_and_never_runs
                a_cancel_of_a_running_task_reaches_its_worker_and_wins_over_anything_but_a_value
                a_paused_queue_gives_nothing_out_until_it_is_resumed
                a_replayed_task_runs_again_under_its_id_with_its_counts_reset
                a_deleted_task_is_forgotten_with_its_id
                a_purge_cancels_what_waits_and_leaves_what_runs
                a_queue_at_its_limit_takes_nothing_in_until_it_has_drained
            }
            lease {
                the_tasks_of_a_worker_whose_lease_ended_run_elsewhere
                a_worker_that_beats_keeps_its_tasks_however_long_they_take
                a_worker_whose_lease_ended_goes_on_under_its_next_generation
                after_an_outage_live_workers_keep_what_they_hold
                after_an_outage_a_worker_that_stays_away_is_dead
                a_release_gives_back_at_once_and_closes_every_generation
                a_release_of_a_worker_that_never_claimed_keeps_it_out
                a_task_whose_worker_dies_too_often_has_failed
                a_suspect_runs_alone_and_only_in_a_worker_that_holds_nothing
                one_worker_at_a_time_is_asked_to_run_empty_for_a_suspect
                a_failed_task_stays_failed_when_its_worker_dies
            }
            lifecycle {
                every_row_of_the_table_of_states_is_walked
            }
            names {
                a_task_of_an_unknown_name_waits_for_a_worker_that_knows_it_and_counts_nothing
                a_name_that_no_worker_knows_for_ten_minutes_fails_its_tasks
            }
            timing {
                the_highest_priority_goes_first
                a_delayed_task_starts_when_its_time_has_come
                a_failed_attempt_is_tried_again_after_its_backoff
                a_task_that_did_not_start_in_time_is_cancelled_as_expired
                a_unique_key_is_held_until_its_task_is_final_in_any_way
                a_result_ends_with_its_retention_and_its_id_is_remembered_for_ten_minutes
                counts_agree_with_what_happened
            }
            waiting {
                a_claim_that_waits_is_woken_by_an_enqueue
                a_wait_for_a_result_ends_when_its_task_does
                a_wait_for_a_task_that_is_not_there_is_answered_at_once
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
