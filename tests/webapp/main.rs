//! What visitors of the example `webapp` see over HTTP: the program as a process, without a server and on a Redis.

mod chromium;
mod fixture;

mod doors;
mod numbers;
mod outages;
mod reports;
mod stopping;
mod tickets;
mod uploads;
mod visit;

use fixture::Site;

/// A rule that is missing here is reported as dead code.
macro_rules! everywhere {
    ($($group:ident { $($rule:ident)* })*) => {
        mod in_process {
            use super::*;
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    $group::$rule(Site::in_process()).await;
                }
            )*)*
        }
        mod on_redis {
            use super::*;
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $rule() {
                    $group::$rule(Site::on_redis()).await;
                }
            )*)*
        }
    };
}

everywhere! {
    doors {
        a_visitor_logs_in_and_is_greeted
        a_wrong_password_and_a_wrong_name_are_told
        a_log_in_gives_a_new_cookie_and_a_new_token
        a_log_out_ends_the_session_for_good
        who_logs_in_after_another_sees_nothing_of_them
        a_form_without_the_token_of_its_session_is_refused
        what_a_visitor_prefers_is_kept_beside_the_uploads
    }
    uploads {
        a_file_that_cannot_be_a_report_is_refused_with_a_reason
        a_file_of_the_largest_size_is_taken
        uploads_at_the_same_time_are_all_listed
        files_that_are_a_day_old_are_removed_and_others_stay
        the_list_has_as_many_rows_a_page_as_the_visitor_wants
    }
    reports {
        a_table_is_reported_to_the_number
        a_large_table_is_reported_to_the_number
        tables_of_other_forms_are_read
        a_text_is_reported_to_the_word
        progress_is_told_until_the_report_is_there
        a_page_without_scripts_looks_again_by_itself
        three_reports_are_made_at_a_time_and_the_next_one_waits
        a_report_that_cannot_be_made_says_why
        a_report_is_for_its_visitor_alone
        what_visitors_write_is_text_on_every_page
    }
    tickets {
        a_report_has_one_ticket_however_often_it_is_asked_for
        tickets_are_filed_one_after_the_other
    }
    numbers {
        the_numbers_are_made_once_for_all_who_ask
        an_upload_and_the_end_of_a_report_have_the_numbers_made_anew
        the_numbers_of_a_visitor_are_for_them_alone
    }
    stopping {
        a_signal_ends_it_within_seconds_while_visitors_watch
        an_upload_that_stands_still_does_not_keep_it_from_ending
    }
}
