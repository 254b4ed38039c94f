//! Real keepers with real children.
//!
//! This binary plays all parts, by its first argument: the keeper, its supervisor, workers, and the tests. The
//! supervisor only hands its line to the keeper over to the test, through a Unix socket, and waits to be killed;
//! so the tests themselves are the supervisor. A harness of its own, for a keeper wants a process with one thread.

#![allow(clippy::unwrap_used, clippy::panic)] // a test, though not built as one

mod attributes;
mod families;
mod groups;
mod inheritance;
mod limits;
mod manager;
mod parts;
mod processes;
mod rig;
mod succession;
mod tests;
mod transactions;
mod upgrades;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("__keeper") => parts::keeper(&args[2..]),
        Some("__supervisor") => parts::supervisor(&args[2..]),
        Some("__worker") => parts::worker(&args[2..]),
        _ => run_tests(&args[1..]),
    }
}

fn run_tests(args: &[String]) -> ExitCode {
    if args.iter().any(|arg| arg == "--list") {
        tests::ALL
            .iter()
            .for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filters: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |name: &str| {
        filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()))
    };
    let (mut passed, mut failed) = (0, Vec::new());
    for (name, test) in tests::ALL.iter().filter(|(name, _)| chosen(name)) {
        let ok = catch_unwind(AssertUnwindSafe(test)).is_ok();
        println!("test {name} ... {}", if ok { "ok" } else { "FAILED" });
        if ok {
            passed += 1;
        } else {
            failed.push(name);
        }
    }
    let result = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {result}. {passed} passed; {} failed; 0 ignored; 0 measured; {} filtered out",
        failed.len(),
        tests::ALL.len() - passed - failed.len()
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
