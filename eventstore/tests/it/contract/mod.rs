//! What every place that keeps the log does alike. Each test takes a store and knows not whose.

mod ahead;
mod append;
mod claims;
mod codec;
mod commands;
mod hints;
mod keys;
mod scan;
mod search;
mod state;
mod subscribe;

/// Runs each test on both.
macro_rules! on_both {
    ($($module:ident: $($test:ident),+;)+) => {
        mod memory {
            $($(
                #[tokio::test]
                async fn $test() {
                    super::$module::$test(crate::support::in_memory().await).await;
                }
            )+)+
        }

        mod postgres {
            $($(
                #[tokio::test]
                async fn $test() {
                    let database = testkit::database().await;
                    super::$module::$test(crate::support::on(&database).await).await;
                    database.close().await;
                }
            )+)+
        }
    };
}

on_both! {
    append: without_room_nothing_is_taken_in_and_reading_goes_on,
        what_is_appended_reads_back_exactly, versions_are_checked_and_told,
        any_version_will_do, several_streams_all_or_nothing, streams_that_are_only_checked,
        a_stream_has_one_tenant_and_one_category, what_breaks_a_rule_is_refused;
    ahead: a_row_of_appends_is_written_together, who_follows_what_is_refused_is_refused,
        a_repetition_that_follows_hears_the_first_answer, only_deciders_see_what_is_foreseen;
    commands: a_repetition_hears_the_first_answer, an_id_stands_for_one_request,
        a_refused_command_may_be_repeated, no_events_still_record_the_command,
        checks_come_in_order;
    claims: a_value_has_one_holder, a_value_is_given_back_and_handed_over,
        a_hold_lapses, a_refused_append_claims_nothing, values_that_begin_alike_are_listed;
    keys: what_is_personal_is_sealed, an_erased_subject_is_gone_for_good,
        a_request_is_sealed_too, a_key_is_made_once,
        a_subject_that_begins_gets_its_key_with_it, a_key_that_is_there_is_not_made_anew;
    codec: an_old_version_is_lifted, a_newer_version_is_refused, a_damaged_payload_is_refused;
    search: every_filter_filters, pages_go_both_ways;
    hints: only_what_the_log_says_is_believed, what_was_written_here_is_told;
    state: a_state_is_loaded_and_kept, an_id_of_another_kind_is_the_id_of_none, quiet_events_do_not_count_as_edits,
        one_ticket_at_a_time;
    scan: a_scan_hands_out_what_is_wanted_of_whole_appends;
    subscribe: news_come_from_memory_as_they_are_stored, a_late_reader_catches_up,
        an_append_is_never_split, a_paced_reader_lets_events_gather;
}
