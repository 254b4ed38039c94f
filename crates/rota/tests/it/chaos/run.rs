//! A run: its app, its load, and what is under way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use rota_load::Running;
use rustix::process::Signal;

use super::book::{Book, now};
use super::disk::Disk;
use super::schedule::{Action, Step};
use crate::support::{
    App, Commands, Home, Measures, another_supervisor, app_path, calm, files, living, load_on,
    signal,
};

/// Workers at the beginning, and at the end.
pub const WORKERS: usize = 4;

/// Far more than it takes to calm down.
const LIMIT: Duration = Duration::from_secs(180);

/// Everything of a run. Its parts go in this order at the end.
pub struct Chaos {
    pub load: Option<Running>,
    pub commands: Commands,
    /// What ends by itself after a while.
    pub ends: Vec<JoinHandle<()>>,
    pub disk: Option<Disk>,
    pub home: Home,
    /// Where the workers write about themselves.
    pub diaries: PathBuf,
    pub keeper: u32,
    /// When the load began, by [`now`].
    pub load_began: f64,
    pub book: Book,
    /// The numbers of workers that were asked for; the last one is what is wanted.
    pub asked: Vec<usize>,
    /// What is wrong.
    pub complaints: Vec<String>,
    pub done: BTreeMap<Action, usize>,
    /// What cannot be done here.
    pub impossible: Vec<Action>,
    /// Before anything happened, after one takeover.
    pub fresh: Measures,
    pub fresh_files: BTreeSet<String>,
    /// While it went on, at peaceful moments.
    pub measured: Vec<Measures>,
}

impl Chaos {
    /// Starts the app and its clients.
    pub fn begin() -> Self {
        let home = Home::new();
        let disk = Disk::mount(&home);
        let diaries = home.path().join("diaries");
        std::fs::create_dir(&diaries).unwrap();
        let port = start(&home, &diaries.display().to_string());
        let impossible = impossible(&home, disk.as_ref());
        let (keeper, supervisor) = home.daemon_pids();
        let first_death = now();
        signal(supervisor, Signal::KILL);
        another_supervisor(&home, supervisor);
        let fresh = Measures::of(&home);
        println!("fresh: {fresh}");
        let fresh_files = files(&home);
        let load = load_on(port)
            .path("/?ms=20")
            .keep_alive(8)
            .one_shot(8)
            .idle(8, 50..500)
            .slow(8, "/?ms=300");
        let load_began = now();
        Self {
            load: Some(load.start().unwrap()),
            commands: Commands::default(),
            ends: Vec::new(),
            disk,
            home,
            diaries,
            keeper,
            load_began,
            book: Book {
                deaths: vec![first_death],
                ..Book::default()
            },
            asked: vec![WORKERS],
            complaints: Vec::new(),
            done: BTreeMap::new(),
            impossible,
            fresh,
            fresh_files,
            measured: Vec::new(),
        }
    }

    /// Does one thing.
    pub fn perform(&mut self, step: Step) {
        if self.impossible.contains(&step.action) {
            return;
        }
        let seconds = (now() - self.load_began) / 1000.0;
        println!("{seconds:9.3} {:?}", step.action);
        *self.done.entry(step.action).or_default() += 1;
        self.act(step);
        self.commands.none_left();
    }

    /// Waits until nothing is under way: commands are answered, the workers that are wanted serve, and no others are left.
    pub fn peace(&mut self) -> App {
        for end in self.ends.drain(..) {
            end.join().unwrap();
        }
        let begin = Instant::now();
        self.commands.wait(begin + LIMIT);
        loop {
            let deeds = &self.book.deeds;
            let calm = calm(&self.home);
            let calm = calm.filter(|app| !app.pids().iter().any(|pid| deeds.contains_key(pid)));
            if let Some(app) = calm {
                return app;
            }
            assert!(
                begin.elapsed() < LIMIT,
                "it does not calm down: {:#}\n{:?}",
                self.home.app("app").0,
                living(&self.home)
            );
            sleep(Duration::from_millis(50));
        }
    }
}

/// What cannot be done here; says why.
fn impossible(home: &Home, disk: Option<&Disk>) -> Vec<Action> {
    let mut impossible = Vec::new();
    if disk.is_none() {
        println!("skipped: the log disk cannot be filled, since nothing may be mounted here");
        impossible.push(Action::FillDisk);
    }
    if home.rota(&["upgrade", "--help"]).code != 0 {
        println!("skipped: there is no `rota upgrade`");
        impossible.push(Action::Upgrade);
    }
    impossible
}

/// Starts the app; gives its port.
fn start(home: &Home, diaries: &str) -> u16 {
    let script = app_path("chaos.js").display().to_string();
    let mut args = vec!["start", &script, "--name", "app"];
    let (workers, folder) = (WORKERS.to_string(), format!("CHAOS_DIR={diaries}"));
    args.extend(["-i", &workers, "--env", &folder]);
    // Code that breaks after a while is found while its first worker is watched.
    args.extend(["--observe", "1s", "--listen-timeout", "10s"]);
    args.extend(["--drain-timeout", "10s", "--kill-timeout", "2s"]);
    // A hang is found after some 1.5 s.
    args.extend(["--heartbeat-interval", "500ms"]);
    args.extend(["--heartbeat-timeout", "500ms", "--heartbeat-misses", "3"]);
    home.rota(&args).ok();
    home.app("app").port().unwrap()
}
