//! What every broker does alike: one function per rule, stamped for each broker.

mod fixture;
mod servers;

mod bounds;
mod cancelling;
mod checking;
mod damaged;
mod doubled;
mod enqueueing;
mod random_damage;
mod recovering;
mod remembering;
mod turning;
mod waking;

use std::sync::Arc;

use task_runtime::broker::memory::MemoryBroker;
use task_runtime::broker::{Broker, Clock};

use fixture::{Bench, Fixture};
use servers::{Cluster, Redis, Valkey};

/// A rule that is missing here is reported as dead code.
macro_rules! conformance {
    ($backend:ident, $fixture:ty) => {
        mod $backend {
            use super::*;
            stamp! { $fixture:
                bounds {
                    a_record_beside_a_job_that_is_too_long_counts_as_absent
                    one_turn_lends_about_a_megabyte
                    one_call_of_recovery_tells_about_a_megabyte
                    no_more_ends_are_kept_than_the_hard_cap_and_that_is_told_to_who_asks_again
                }
                enqueueing {
                    a_new_job_is_ready_and_keeps_its_envelope
                    a_job_that_is_there_is_not_enqueued_again
                    the_same_job_twice_in_one_call_is_one_job
                    a_job_that_has_ended_is_not_enqueued_again
                    a_repeated_enqueue_is_unknown_when_its_record_may_be_forgotten
                    a_repeated_enqueue_of_a_job_that_never_arrived_is_new
                    too_many_jobs_in_one_call_are_refused_and_none_is_enqueued
                    a_delayed_job_waits_until_it_is_due
                    a_job_due_in_the_past_is_ready_at_once
                    due_jobs_become_ready_in_their_own_priority
                    promote_moves_a_hundred_jobs_at_most
                    a_due_time_is_kept_to_the_millisecond
                    an_id_of_any_characters_goes_every_way
                }
                turning {
                    only_begin_registers_an_incarnation
                    a_repeated_begin_changes_nothing
                    a_queue_takes_no_more_workers_than_its_limit
                    a_turn_out_of_step_changes_nothing_and_tells_what_runs
                    a_turn_and_a_heartbeat_move_the_lease
                    jobs_are_claimed_in_the_order_that_the_turn_gives
                    a_turn_claims_no_more_than_it_wants_and_says_that_there_is_more
                    an_envelope_that_is_too_long_is_not_lent
                    a_claimed_job_is_not_claimed_again
                    fencing_tokens_grow_with_every_claim
                    a_claim_stands_before_its_settlement
                    a_settlement_of_a_job_claimed_in_the_same_turn_is_ignored
                    only_the_holder_can_settle
                    who_miscounts_what_it_holds_settles_no_more_than_that
                    a_finished_job_leaves_its_record
                    a_dead_job_stays_with_its_state
                    a_retry_at_once_goes_to_the_back_with_its_state
                    a_retry_with_a_delay_is_scheduled
                    a_released_job_goes_to_the_front_unchanged
                    a_parked_job_waits_for_a_worker_that_takes_its_task
                    adopt_gives_what_the_incarnation_holds_and_nothing_else
                    leave_gives_jobs_back_and_ends_the_incarnation
                    leave_is_harmless_twice_and_from_a_stranger
                    a_paused_queue_gives_no_jobs_but_takes_settlements
                }
                cancelling {
                    a_cancelled_ready_job_never_runs
                    a_cancelled_ready_job_is_dropped_when_popped_and_its_mark_with_it
                    a_run_of_cancelled_jobs_does_not_look_like_an_empty_queue
                    a_cancelled_scheduled_job_never_becomes_due
                    a_cancelled_parked_job_is_not_taken
                    a_running_job_is_asked_to_stop
                    an_asked_job_may_still_finish
                    asked_beats_a_retry
                    asked_beats_a_release
                    asked_beats_parking
                    asked_beats_leaving
                    asked_beats_recovery
                    what_has_ended_or_died_or_never_was_cannot_be_cancelled
                }
                recovering {
                    a_lease_that_lasts_is_not_condemned
                    a_lease_that_moved_on_is_not_condemned
                    a_heartbeat_changes_the_lease_when_the_clock_was_set_back
                    a_stale_lease_is_condemned_only_as_it_was_seen
                    a_lease_that_ended_is_condemned_and_tells_its_jobs
                    a_condemned_incarnation_can_never_settle
                    a_begin_that_arrives_after_its_incarnation_was_recovered_brings_nothing_back
                    a_begin_that_arrives_after_its_incarnation_left_brings_nothing_back
                    a_condemned_incarnation_gives_nothing_back_by_itself
                    another_sweeper_goes_on_where_a_recoverer_died
                    company_is_counted_once_not_as_it_shrinks
                    a_decision_twice_moves_a_job_once
                    nobody_settles_for_one_that_lives
                    a_condemned_incarnation_without_jobs_is_removed
                    survivors_of_a_crash_are_claimed_a_few_at_a_time
                    a_last_chance_is_given_to_an_empty_worker_and_nothing_with_it
                    survivors_are_more_work_only_for_one_who_may_take_them
                    a_last_chance_is_more_work_only_for_an_empty_worker
                    a_job_that_crashed_too_often_is_dead
                    a_parked_job_is_dead_when_nobody_knows_its_task_for_too_long
                    a_parked_job_stays_while_a_worker_knows_its_task
                    a_job_recovered_from_a_worker_can_be_settled_by_the_next
                    what_was_on_board_of_a_crash_goes_back_to_where_it_was
                }
                remembering {
                    nothing_is_forgotten_before_the_floor
                    a_dead_job_is_not_forgotten_before_the_floor
                    the_oldest_ends_beyond_their_number_are_forgotten
                    whoever_finishes_forgets_what_is_too_old
                    a_result_is_kept_for_its_own_time
                    without_retention_an_end_is_not_kept_at_all
                    dead_jobs_are_kept_for_their_own_time
                    the_end_of_a_watched_job_is_told_once
                    a_death_is_told_to_those_who_wait
                    a_cancel_is_told_to_those_who_wait
                    a_watch_that_comes_late_gets_the_end
                    every_job_is_counted_where_it_is
                    a_broker_that_never_evicts_says_so
                }
                checking {
                    a_sound_queue_is_found_sound_and_left_alone
                    an_unused_queue_is_sound
                    what_was_forgotten_leaves_a_sound_queue
                }
                waking {
                    each_new_ready_job_leaves_a_token_up_to_the_cap
                    a_token_wakes_one_that_waits
                    only_an_earlier_due_time_leaves_a_token
                    a_paused_queue_leaves_no_tokens_and_resume_does
                    a_turn_that_leaves_jobs_behind_passes_the_wake_on
                    a_turn_that_got_less_than_it_wanted_keeps_the_wake
                    a_worker_that_takes_a_last_chance_passes_the_wake_on
                    a_job_that_goes_back_to_ready_leaves_a_token
                    a_turn_leaves_no_more_tokens_than_ready_jobs
                    a_turn_that_claims_all_it_promoted_leaves_no_token
                    a_retry_for_later_leaves_no_token
                    one_that_leaves_or_is_recovered_leaves_a_token
                    a_promoted_job_leaves_a_token
                    the_next_due_time_is_held_by_one_worker
                    a_due_time_is_taken_from_a_holder_that_is_late
                    a_due_time_is_taken_when_its_job_is_gone
                    a_due_time_is_taken_from_a_holder_whose_lease_ended
                    the_due_time_of_one_that_left_goes_to_another
                    the_due_time_of_one_that_was_condemned_goes_to_another
                    a_due_time_without_jobs_is_held_by_nobody
                    a_worker_with_nothing_left_to_wake_for_gets_no_due_time
                }
            }
        }
    };
}

macro_rules! stamp {
    ($fixture:ty: $($file:ident { $($rule:ident)* })*) => {
        $($(
            #[tokio::test]
            async fn $rule() {
                $file::$rule(Bench::new::<$fixture>().await).await;
            }
        )*)*
    };
}

struct Memory;

impl Fixture for Memory {
    async fn broker(clock: Clock) -> (Arc<dyn Broker>, Option<servers::Raw>) {
        (Arc::new(MemoryBroker::new(clock)), None)
    }
}

conformance!(memory, Memory);
conformance!(redis, Redis);
conformance!(valkey, Valkey);
conformance!(cluster, Cluster);

/// What only keys can show: stored data that someone damaged.
macro_rules! damage {
    ($backend:ident, $fixture:ty) => {
        mod $backend {
            use super::*;
            stamp! { $fixture:
                damaged {
                    an_entry_without_its_job_is_taken_out
                    what_is_no_parked_job_stops_no_turn_and_no_sweep
                    entries_are_taken_out_of_a_long_list_and_no_other_is_lost
                    a_job_that_no_index_holds_is_put_back_to_run
                    a_lost_job_goes_where_its_envelope_and_record_say
                    a_lost_job_whose_cancel_was_asked_ends_as_cancelled
                    a_put_back_job_wakes_a_worker
                    a_job_in_two_places_stays_where_it_runs_first
                    an_ended_job_is_taken_out_of_line
                    a_running_job_without_its_envelope_is_left_to_its_worker
                    an_end_that_nothing_would_forget_is_forgotten_in_its_time
                    notes_of_ends_without_records_are_removed
                    wrong_counts_are_counted_again
                    many_notes_are_counted_too
                    a_worker_without_a_lease_is_watched_again
                    a_worker_that_can_make_no_turn_is_recovered
                    a_lease_that_was_deleted_comes_back_with_the_next_heartbeat
                    what_is_left_beside_a_job_that_is_gone_is_removed
                    a_parked_job_is_found_again_by_a_worker_that_knows_its_task
                    a_queue_that_forgot_itself_is_told_and_counts_again
                    a_queue_that_is_not_listed_is_listed_again
                    what_is_not_known_is_told_and_never_touched
                    a_key_of_the_wrong_type_is_told_and_never_touched
                    a_list_of_queues_of_the_wrong_type_is_told_and_the_queue_is_checked
                    lost_counts_stop_no_worker
                }
                doubled {
                    a_job_that_is_in_line_very_often_hides_no_other
                    a_job_twice_in_the_middle_of_a_long_list_is_found_and_mended
                    what_is_not_decided_is_not_sound_and_another_repair_decides_it
                }
                random_damage {
                    whatever_is_damaged_a_repair_leaves_a_sound_queue_and_every_envelope
                }
            }
        }
    };
}

damage!(damaged_on_redis, Redis);
damage!(damaged_on_valkey, Valkey);
damage!(damaged_on_a_cluster, Cluster);
