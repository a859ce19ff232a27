//! What sessions promise: one list of rules for every place where they are kept, and what visitors see over HTTP.

mod fixture;

mod fields;
mod ids;
mod limits;
mod users;

mod alike;
mod crashes;
mod http;
mod outages;
mod security;
mod tower;
mod wire;

use support::Place;

use crate::fixture::Raw;

/// A rule that is missing here is reported as dead code.
macro_rules! everywhere {
    ($($name:ident $place:ident;)*) => {
        $(mod $name {
            use super::*;
            stamp! { $place:
                fields {
                    what_a_request_sets_the_next_one_reads
                    a_request_sees_its_own_writes_before_they_are_sent
                    a_field_is_loaded_once_per_request_and_no_other_with_it
                    several_fields_come_with_one_call
                    requests_that_write_different_fields_at_the_same_time_lose_nothing
                    a_batch_is_written_as_a_whole_or_not_at_all
                    updates_of_one_field_at_the_same_time_lose_nothing
                    increments_at_the_same_time_are_all_counted
                    only_a_whole_number_that_fits_is_counted
                    one_of_those_who_take_a_field_gets_it
                    a_field_with_a_time_of_its_own_ends_before_its_session
                    a_value_of_another_type_is_an_error_and_the_field_can_be_written_anew
                    any_name_and_any_value_comes_back_as_it_was
                    what_was_removed_is_gone
                    what_is_discarded_or_fails_is_not_written
                }
                ids {
                    a_visitor_who_stores_nothing_gets_neither_cookie_nor_key
                    an_id_that_was_made_up_is_never_taken_on
                    a_new_id_has_all_the_fields_and_the_old_one_none
                    what_a_late_request_writes_under_the_old_id_is_dropped
                    a_log_in_with_an_id_that_just_died_begins_an_empty_session
                    a_destroyed_session_is_gone_and_its_cookie_is_taken_back
                    a_session_that_ended_under_way_is_not_begun_anew
                    a_session_begun_after_the_end_of_another_shares_nothing_with_it
                    a_session_ends_when_it_is_not_used
                    reading_moves_the_end_on_and_sends_the_cookie_anew_but_not_each_time
                    a_lifetime_ends_a_session_that_is_used
                    a_session_with_a_ttl_of_its_own_lives_as_long_as_that
                    a_new_session_cannot_begin_when_the_response_has_left
                }
                limits {
                    a_session_has_no_more_fields_than_its_limit
                    a_value_has_no_more_bytes_than_its_limit
                    a_session_has_no_more_bytes_than_its_limit_however_it_is_filled
                    a_session_over_a_limit_that_was_lowered_may_shrink
                    fields_that_have_ended_make_room
                }
                users {
                    the_sessions_of_a_user_are_listed_the_one_seen_last_first
                    all_sessions_of_a_user_end_but_the_one_that_is_kept
                    one_session_of_a_user_ends_and_one_of_another_user_does_not
                    a_session_that_changes_its_id_is_listed_under_the_new_one_alone
                    a_session_that_changes_its_user_is_no_longer_listed_for_the_old_one
                    a_session_that_changes_its_id_meanwhile_ends_with_the_others
                    a_user_has_no_more_sessions_than_the_limit_and_the_oldest_end
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
                let raw = Raw::at(Place::$place());
                $group::$rule(&raw).await;
                raw.every_key_has_its_end();
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
