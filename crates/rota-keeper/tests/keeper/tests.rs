//! The list of tests.

use crate::{families, inheritance, limits, processes, succession};

/// Every test by name.
pub const ALL: &[(&str, fn())] = &[
    (
        "greets_and_hands_over_what_it_was_started_with",
        succession::greets,
    ),
    ("tells_how_children_end", processes::ends),
    ("signals_a_process_or_its_group", processes::signals),
    (
        "failed_spawns_say_why_and_leave_the_key_free",
        processes::failed_spawns,
    ),
    (
        "descriptors_arrive_under_their_numbers_and_no_others",
        inheritance::descriptors,
    ),
    (
        "the_environment_is_what_was_given_and_the_pid",
        inheritance::environment,
    ),
    ("nothing_of_a_worker_survives_it", families::family),
    ("a_moved_main_process_is_the_child", families::moved_main),
    ("main_pids_of_others_are_refused", families::foreign_main),
    (
        "a_killed_supervisor_loses_nothing",
        succession::killed_supervisor,
    ),
    (
        "a_supervisor_that_hangs_up_is_replaced",
        succession::hung_up,
    ),
    ("what_was_sent_before_death_is_done", succession::last_words),
    ("exits_wait_for_the_next_supervisor", succession::exits_wait),
    ("signals_to_the_keeper_are_handed_on", succession::forwarded),
    (
        "a_keeper_without_supervisor_can_be_stopped",
        succession::doomed,
    ),
    ("large_messages_and_many_descriptors", limits::large),
    ("rubbish_is_refused_and_harms_nothing", limits::rubbish),
    ("many_children_at_once", processes::many),
    (
        "a_full_table_of_files_is_told_and_survived",
        limits::full_table,
    ),
    ("exit_kills_what_is_left", processes::exit_kills),
];
