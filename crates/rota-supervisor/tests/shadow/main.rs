//! Supervisors that are killed, and what becomes of their connections.
//!
//! This binary plays all parts, by its first argument: the supervisor, and the tests, which are keeper, worker and
//! clients. A harness of its own, for a supervisor starts its shadow while it has one thread.

#![allow(clippy::unwrap_used, clippy::panic)] // a test, though not built as one

mod kills;
mod lives;
mod rig;
mod supervisor;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

const ALL: &[(&str, fn())] = &[
    ("no_connection_is_lost_or_doubled", kills::one_by_one),
    ("nor_when_one_kill_follows_the_other", kills::in_a_row),
    ("a_shadow_dies_of_no_signal", lives::signals),
    ("a_shadow_leaves_after_a_farewell", lives::farewell),
    ("a_shadow_leaves_with_its_line", lives::line_closed),
    ("a_killed_shadow_is_noticed", lives::noticed),
    ("unix_connections_are_rescued", lives::unix),
    ("more_connections_than_the_line_holds", lives::many),
    ("figures", lives::figures),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("__supervisor") => supervisor::run(&args[2..]),
        _ => run_tests(&args[1..]),
    }
}

fn run_tests(args: &[String]) -> ExitCode {
    if args.iter().any(|arg| arg == "--list") {
        ALL.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    rota_sys::process::become_subreaper().unwrap();
    rota_sys::limits::raise_nofile().unwrap();
    let filters: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |name: &str| {
        filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
    };
    let (mut passed, mut failed) = (0, 0);
    for (name, test) in ALL.iter().filter(|(name, _)| chosen(name)) {
        let ok = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        *(if ok { &mut passed } else { &mut failed }) += 1;
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out",
        ALL.len() - passed - failed
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
