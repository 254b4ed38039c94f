//! Why there is no stack: what a process does instead of running JavaScript, as far as `/proc` tells.

use std::time::Duration;

use rota_sys::waits::{self, Call, Wait};

use super::Target;
use crate::words;

/// Who has had the processor for so long, and was not interrupted, was not in JavaScript. An absolute time, since a
/// machine may have more to do.
const BUSY: Duration = Duration::from_millis(200);

/// Why a worker's inspector did not answer within this time.
pub(super) fn explain(target: &Target, before: &Wait, span: Duration) -> String {
    let Ok(after) = waits::look(target.pid) else {
        return "it has ended".to_owned();
    };
    let does = doing(before, &after);
    if target.usr1 {
        return format!(
            "the app handles SIGUSR1 itself, so that its inspector cannot be opened while {does}"
        );
    }
    format!(
        "{does} (its inspector did not answer within {})",
        words::span(span)
    )
}

/// What it did between two looks.
fn doing(before: &Wait, after: &Wait) -> String {
    let used = |wait: &Wait| wait.stat.user + wait.stat.system;
    let spent = used(after).saturating_sub(used(before));
    match after.stat.state {
        'T' => return "it is stopped (SIGSTOP)".to_owned(),
        't' => return "it is stopped by a debugger".to_owned(),
        'Z' | 'X' => return "it has ended".to_owned(),
        'D' => return waiting("it waits for a disk or another device", after.call.as_ref()),
        _ => {}
    }
    if spent >= BUSY {
        return "it is busy in native code that cannot be interrupted: JSON, sorting, cryptography, compression or a \
                native addon"
            .to_owned();
    }
    if after.stat.state == 'R' {
        return "it is kept from running: the machine is busy".to_owned();
    }
    if let Some(child) = waits_for_child(after) {
        return child;
    }
    waiting("it waits", after.call.as_ref())
}

/// `execSync` and `spawnSync` run an event loop of their own until their child has ended.
fn waits_for_child(wait: &Wait) -> Option<String> {
    let in_loop = match &wait.call {
        Some(call) => matches!(call.name, Some("epoll_wait" | "poll" | "wait4" | "waitid")),
        None => true,
    };
    let (pid, command) = wait.children.last().filter(|_| in_loop)?;
    Some(format!(
        "it waits for the process that it has started, {pid} ({command}), as execSync and spawnSync do"
    ))
}

fn waiting(what: &str, call: Option<&Call>) -> String {
    match call {
        None => format!("{what} in native code"),
        Some(Call {
            name: Some("futex"),
            ..
        }) => format!("{what} for another thread in native code (futex)"),
        Some(call) => {
            let number = format!("number {}", call.number);
            let name = call.name.unwrap_or(&number);
            let of = call
                .file
                .as_ref()
                .map(|file| format!(" of {}", file.display()));
            format!("{what} in the system call {name}{}", of.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rota_sys::procfs::Stat;

    fn wait(state: char, used: u64, call: Option<&'static str>, children: &[&str]) -> Wait {
        Wait {
            stat: Stat {
                state,
                parent: 1,
                group: 1,
                session: 1,
                user: Duration::from_millis(used),
                system: Duration::ZERO,
                threads: 1,
                start_ticks: 1,
                resident: 1,
            },
            call: call.map(|name| Call {
                name: Some(name),
                number: 0,
                file: (name == "read").then(|| "/tmp/fifo".into()),
            }),
            children: children
                .iter()
                .map(|name| (7, (*name).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn it_is_said_what_a_process_does() {
        let before = wait('R', 1000, None, &[]);
        for (after, text) in [
            (wait('R', 3900, None, &[]), "it is busy in native code"),
            (wait('R', 1100, None, &[]), "it is kept from running"),
            (wait('T', 1000, None, &[]), "it is stopped (SIGSTOP)"),
            (
                wait('S', 1000, Some("read"), &["sleep 9"]),
                "it waits in the system call read of /tmp/fifo",
            ),
            (
                wait('S', 1000, Some("epoll_wait"), &["sleep 9"]),
                "it waits for the process that it has started, 7 (sleep 9), as execSync",
            ),
            (
                wait('S', 1000, Some("open"), &[]),
                "it waits in the system call open",
            ),
            (
                wait('S', 1000, Some("futex"), &[]),
                "it waits for another thread",
            ),
            (wait('S', 1000, None, &[]), "it waits in native code"),
        ] {
            let said = doing(&before, &after);
            assert!(said.starts_with(text), "{said}");
        }
    }
}
