//! A worker that starts beside serving ones gives way to them, and does so no more when it serves. A supervisor that starts
//! comes before workers for a moment.

use std::fs;

use rota_sys::sched::session_nice;
use rustix::process::Signal;

use crate::support::{Home, eventually, free_port, signal};

/// Listens once the file `hold` beside it is gone.
const HELD: &str = "
const fs = require('fs');
const server = require('http').createServer((request, response) => response.end('here'));
const look = () => fs.existsSync('hold') ? setTimeout(look, 10) : server.listen(PORT);
look();
";

fn nice(pid: u32) -> Option<i32> {
    session_nice(pid).unwrap()
}

#[test]
fn a_starting_worker_gives_way_until_it_listens() {
    if session_nice(std::process::id()).unwrap().is_none() {
        println!("not tried: this kernel has no autogroup, or has it switched off");
        return;
    }
    let home = Home::new();
    let script = HELD.replace("PORT", &free_port().to_string());
    let script = home.write("held.js", &script);
    let hold = home.path().join("hold");
    let started = home.start_script(&script, &["-i", "1"]);
    assert_eq!(
        nice(started.pids[0]),
        Some(0),
        "there is nobody to give way to"
    );
    for with_death in [false, true] {
        fs::write(&hold, "").unwrap();
        let old = home.app("app").pids();
        let reload = home.in_background(&["reload", "app"]);
        let new = eventually("a second process", || {
            let pids = home.app("app").pids();
            pids.into_iter().find(|pid| !old.contains(pid))
        });
        eventually("a session that is nice", || {
            (nice(new) == Some(10)).then_some(())
        });
        assert_eq!(nice(old[0]), Some(0));
        if with_death {
            signal(home.daemon_pids().1, Signal::KILL);
        }
        fs::remove_file(&hold).unwrap();
        reload.join().unwrap().ok();
        assert_eq!(home.app("app").pids(), [new]);
        eventually("as nice as others", || (nice(new) == Some(0)).then_some(()));
    }
}

#[test]
fn a_supervisor_that_begins_comes_first_for_a_moment() {
    if session_nice(std::process::id()).unwrap().is_none() || !rustix::process::geteuid().is_root()
    {
        println!("not tried: it takes the kernel's autogroup, and root");
        return;
    }
    let home = Home::new();
    home.start_script(
        &home.write("app.js", "setInterval(() => {}, 1e6)"),
        &["--no-wait"],
    );
    let keeper = home.daemon_pids().0;
    eventually("nothing special", || {
        (nice(keeper) == Some(0)).then_some(())
    });
    // The moment is short, and this test may be elsewhere: it may look away a few times.
    let seen = (0..20).any(|_| {
        let (_, old) = home.daemon_pids();
        signal(old, Signal::KILL);
        let mut seen = false;
        eventually("another supervisor, and the end of its moment", || {
            let now = nice(keeper);
            seen |= now == Some(-10);
            (now == Some(0) && home.daemon_pids().1 != old).then_some(())
        });
        seen
    });
    if !seen {
        // Root of a container need not have the right to it.
        println!("never seen: is CAP_SYS_NICE missing?");
    }
    assert!(seen || !may_come_first());
}

fn may_come_first() -> bool {
    let file = "/proc/self/autogroup";
    let may = fs::write(file, "-1").is_ok();
    may && fs::write(file, "0").is_ok()
}
