//! What a worker does with real jobs: one function per promise, stamped for each broker.

mod fixture;

mod corners;
mod data;
mod ending;
mod helping;
mod injecting;
mod panics;
mod queues;
mod stopping;
mod values;

use fixture::{Bench, cluster, memory, redis, valkey};

/// A promise that is missing here is reported as dead code.
macro_rules! stamp {
    ($($file:ident { $($promise:ident)* })*) => {
        mod on_memory {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$file::$promise(super::Bench::new(super::memory().await)).await; })*)*
        }
        mod on_redis {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$file::$promise(super::Bench::new(super::redis().await)).await; })*)*
        }
        mod on_valkey {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$file::$promise(super::Bench::new(super::valkey().await)).await; })*)*
        }
        mod on_a_cluster {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() { super::$file::$promise(super::Bench::new(super::cluster().await)).await; })*)*
        }
    };
}

stamp! {
    ending {
        a_job_runs_and_its_value_comes_back_typed
        a_failure_is_tried_again_and_then_dead_with_its_reason
        a_panic_is_a_failure_with_its_message_and_place
        a_panic_on_the_blocking_pool_is_a_failure_with_its_place
        an_attempt_over_its_time_is_dropped
        a_wrong_argument_is_dead_at_once_and_names_the_task
        an_unknown_task_is_parked_with_the_reason
        a_newer_envelope_is_parked_under_its_version
        a_broken_envelope_is_dead_with_the_reason
        a_former_name_still_finds_its_task
        a_delayed_job_runs_when_it_is_due
        a_running_job_that_is_cancelled_sees_its_token
        a_running_job_that_ignores_its_cancel_may_finish
        a_thousand_jobs_run_once_each
    }
    corners {
        a_panic_while_an_attempt_is_dropped_is_a_failure
        a_burst_waits_for_a_long_job_without_asking_all_the_time
        a_queue_is_listened_to_again_when_another_gives_its_permit_back
        a_paused_queue_keeps_its_parked_jobs
        a_job_on_its_last_chance_runs_and_the_queue_goes_on
        a_paused_queue_with_a_last_chance_stops_no_other
        a_record_with_impossible_numbers_stops_nobody
        hostile_numbers_in_an_envelope_stop_nobody
        what_ended_before_a_stop_is_recorded
        an_incarnation_that_is_registered_again_gets_no_job
    }
    data {
        every_kind_of_value_comes_back_exactly
        what_would_not_come_back_is_refused_when_it_is_enqueued
        arguments_over_the_limit_are_refused_with_the_limit
        a_result_that_cannot_be_kept_is_dead_at_once_with_the_reason
        a_long_error_is_kept_cut_between_characters
        an_error_of_any_text_is_told_as_it_is
        too_long_arguments_of_another_program_are_dead_and_stop_nobody
        arguments_that_are_no_text_are_dead_and_stop_nobody
    }
    helping {
        two_incarnations_share_a_long_queue_and_one_rests_when_it_is_empty
        both_incarnations_give_back_what_they_run
        a_short_queue_has_one_incarnation
    }
    injecting {
        state_and_context_reach_the_task
        a_worker_without_the_state_does_not_start
    }
    panics {
        whatever_panics_in_a_task_its_neighbours_go_on
    }
    queues {
        a_queue_of_higher_order_goes_first
        weights_share_the_permits
        no_more_jobs_run_at_a_time_than_there_are_permits
        a_paused_queue_waits_and_resumes
        a_burst_ends_when_nothing_is_left
        a_burst_sees_jobs_that_its_last_job_enqueued
    }
    stopping {
        a_stopping_worker_finishes_what_runs
        what_outlasts_the_grace_is_cancelled_and_given_back
        stop_now_gives_back_at_once_without_an_attempt
        a_worker_whose_runtime_is_dropped_leaves_its_jobs_to_others
        a_worker_whose_future_is_dropped_leaves_its_jobs_to_others
    }
    values {
        any_value_and_any_error_come_back_by_every_way
    }
}
