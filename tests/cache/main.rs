//! What the cache promises: one list of rules for every place where it is kept, and what only a server can show.

mod astray;
mod fixture;
mod outages;
mod runtimes;
mod settings;

mod alike;
mod counters;
mod ends;
mod groups;
mod hashes;
mod locks;
mod overtaken;
mod remember;
mod scans;
mod sets;
mod sorted;
mod values;
mod views;

mod cached;
mod crashes;

use support::Place;

use crate::fixture::Raw;

/// A rule that is missing here is reported as dead code.
macro_rules! everywhere {
    ($($name:ident $place:ident;)*) => {
        $(mod $name {
            use super::*;
            stamp! { $place:
                ends {
                    a_key_has_the_end_that_it_is_given
                    what_has_expired_is_gone
                    a_time_that_cannot_be_is_refused
                    whole_numbers_are_counted_and_keep_their_end
                    counts_at_the_same_time_are_all_counted
                }
                groups {
                    a_tag_invalidates_all_that_bear_it_and_nothing_else
                    a_tag_lives_as_long_as_what_bears_it
                    a_tag_lives_on_with_what_bears_it
                    more_tags_than_allowed_are_refused
                    versions_know_nothing_of_each_other
                }
                locks {
                    one_holder_has_it_at_a_time
                    who_does_not_wait_does_not_get_a_lock_that_is_held
                    a_lock_is_renewed_for_as_long_as_it_is_held
                    a_lock_that_is_not_renewed_ends_and_says_so
                    a_lock_whose_time_is_over_cannot_be_given_back
                    clearing_the_cache_leaves_locks_alone
                }
                remember {
                    a_value_is_made_once_and_then_read
                    a_thousand_callers_of_a_cold_key_have_it_made_once
                    a_value_is_made_once_by_all_processes
                    an_error_is_told_to_all_who_wait_and_nothing_is_stored
                    when_the_caller_who_makes_it_is_gone_another_one_does
                    a_stale_value_is_served_while_it_is_made_anew
                    a_value_that_is_slow_to_make_is_made_anew_before_its_time_is_over
                    a_key_that_is_deleted_while_its_value_is_made_stays_without_one
                    a_tag_that_is_invalidated_while_a_value_is_made_invalidates_it
                    a_value_of_another_type_is_made_anew
                    calls_of_one_key_with_other_types_both_get_theirs
                }
                overtaken {
                    who_comes_after_a_deletion_does_not_get_what_was_begun_before
                    who_comes_after_a_deletion_waits_for_who_makes_it_since_then
                    who_wants_it_anew_does_not_get_what_was_begun_before
                    a_stale_value_whose_tag_was_invalidated_is_not_served
                }
                scans {
                    every_key_that_is_like_a_pattern_is_found
                    a_page_goes_on_from_a_cursor_that_was_text
                    what_is_like_a_pattern_is_deleted_and_nothing_else
                    clearing_deletes_all_versions_of_this_cache_and_nothing_else
                }
                values {
                    what_is_set_is_read
                    only_a_key_without_a_value_is_added
                    many_are_written_and_read_at_once
                }
                hashes {
                    fields_are_written_and_read
                    many_fields_go_in_several_commands
                    fields_are_counted_and_nothing_is_lost
                    each_write_to_a_hash_moves_its_end
                    the_last_field_takes_the_hash_with_it
                    what_is_no_hash_is_told
                    any_text_is_a_field_and_any_value_comes_back
                    a_field_that_cannot_be_read_is_told
                }
                sets {
                    members_are_there_once
                    some_are_taken_by_chance
                    each_member_is_popped_by_one
                    two_sets_are_brought_together
                    many_members_go_in_several_commands
                    each_change_of_a_set_moves_its_end
                    what_is_no_set_is_told
                    any_text_is_a_member
                }
                sorted {
                    members_have_scores
                    scores_change_on_conditions
                    members_are_in_their_order
                    members_are_found_by_score
                    the_lowest_and_the_highest_are_popped
                    scores_are_exact_and_never_nan
                    no_point_is_lost
                    many_scores_go_in_several_commands
                    each_change_of_a_sorted_set_moves_its_end
                    what_is_no_sorted_set_is_told
                }
                counters {
                    a_counter_begins_at_zero_and_begins_anew
                    no_count_is_lost
                    each_count_moves_the_end_of_a_counter
                    what_is_no_counter_is_told
                }
            }
        })*
    };
}

macro_rules! stamp {
    ($place:ident: $($group:ident { $($rule:ident)* })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $group::$rule(&Raw::at(Place::$place())).await;
            }
        )*)*
    };
}

everywhere! {
    in_memory memory;
    on_redis redis;
    on_valkey valkey;
    in_a_cluster cluster;
}
