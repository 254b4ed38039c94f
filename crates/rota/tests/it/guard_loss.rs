//! What workers do when every process of rota is gone.

use rustix::process::Signal;

use crate::support::{Connection, Home, eventually, get, signal};

/// Kills the keeper and the supervisor, so that nobody can take either's place.
fn kill_rota(home: &Home) {
    let (keeper, supervisor) = home.daemon_pids();
    signal(keeper, Signal::STOP);
    signal(supervisor, Signal::KILL);
    signal(keeper, Signal::KILL);
    // Nobody is left to remove it.
    std::fs::remove_file(home.rota_home().join("rota.sock")).unwrap();
}

#[test]
fn without_rota_workers_end() {
    let home = Home::new();
    home.start("http.js", &["-i", "2"]);
    kill_rota(&home);
    eventually("all have ended", || {
        home.processes().is_empty().then_some(())
    });
}

#[test]
fn without_rota_workers_that_are_to_serve_on_do_and_end_with_the_stop_signal() {
    for balance in ["shared", "reuseport"] {
        let home = Home::new();
        let started = home.start(
            "http.js",
            &["-i", "2", "--balance", balance, "--guard-loss", "serve"],
        );
        let mut kept = Connection::open(started.port).unwrap();
        let pid = kept.get("/").unwrap().pid();
        kill_rota(&home);
        eventually("only the workers are left", || {
            (home.processes().len() == 2).then_some(())
        });
        assert_eq!(kept.get("/").unwrap().pid(), pid, "{balance}");
        for _ in 0..20 {
            assert!(
                started.pids.contains(&get(started.port, "/").pid()),
                "{balance}"
            );
        }
        assert_eq!(home.processes().len(), 2, "{balance}");
        for pid in &started.pids {
            signal(*pid, Signal::TERM);
        }
        drop(kept);
        eventually("they end when they are told", || {
            home.processes().is_empty().then_some(())
        });
    }
}
