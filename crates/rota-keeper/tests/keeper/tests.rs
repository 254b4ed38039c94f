//! The list of tests.

use crate::{
    attributes, families, groups, inheritance, limits, manager, processes, succession,
    transactions, upgrades,
};

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
    (
        "supervisors_that_were_up_are_replaced_at_once",
        succession::killed_again_and_again,
    ),
    ("shared_sockets_lie_with_the_manager", manager::keeps),
    (
        "sockets_that_the_manager_has_kept_are_entries",
        manager::gives_back,
    ),
    ("nonsense_of_a_manager_is_ignored", manager::nonsense),
    ("the_watchdog_hears_the_keeper", manager::watchdog),
    (
        "a_supervisor_that_does_not_answer_is_replaced",
        manager::own_watchdog,
    ),
    (
        "a_transaction_without_end_is_forgotten",
        transactions::forgotten,
    ),
    (
        "a_whole_transaction_is_done_though_read_after_death",
        transactions::last_words,
    ),
    (
        "single_requests_overtake_a_transaction",
        transactions::singles_between,
    ),
    (
        "failures_within_a_transaction_are_told_in_order",
        transactions::failures_within,
    ),
    (
        "too_large_a_transaction_is_done_in_parts",
        transactions::too_much,
    ),
    (
        "much_is_handed_back_to_slow_readers",
        limits::much_to_hand_back,
    ),
    (
        "an_upgrade_keeps_processes_entries_and_descriptors",
        upgrades::keeps_everything,
    ),
    ("programs_that_will_not_do_change_nothing", upgrades::failed),
    (
        "the_keeper_serves_while_a_program_is_tried_out",
        upgrades::serves_meanwhile,
    ),
    ("a_failed_exec_is_told_to_the_next", upgrades::no_exec),
    (
        "a_program_whose_supervisors_fail_is_left_again",
        upgrades::back_after_failures,
    ),
    (
        "a_program_whose_supervisor_is_never_up_is_left_again",
        upgrades::back_after_silence,
    ),
    (
        "a_program_that_cannot_take_over_gives_back",
        upgrades::given_back,
    ),
    ("memory_stays_flat", limits::no_growth),
    (
        "memory_and_descriptors_stay_flat_over_children",
        limits::no_growth_by_children,
    ),
    (
        "children_are_who_and_what_was_asked_for",
        attributes::attributes,
    ),
    (
        "attributes_that_cannot_be_had_are_told",
        attributes::refused,
    ),
    ("everybody_in_a_control_group_is_killed", groups::exact),
    ("control_groups_outlive_supervisors", groups::succession),
    ("control_groups_outlive_programs", groups::upgraded),
    ("limits_are_written", groups::limits),
    ("limits_that_cannot_be_set_are_refused", groups::refused),
    ("exit_kills_what_is_left", processes::exit_kills),
];
