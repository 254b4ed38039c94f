//! What happens, and measuring between.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rota_load::{FailureKind, Running};
use rustix::process::Signal;

use super::samples::Sample;
use crate::support::{
    App, Commands, Expected, Home, Measures, another_supervisor, app_path, calm, eventually, files,
    living, load_on, signal,
};

/// Workers whenever it is measured.
const WORKERS: usize = 3;

/// Far more than a command takes.
const LIMIT: Duration = Duration::from_secs(60);

/// An app that is never left in peace.
pub struct Soak {
    load: Option<Running>,
    commands: Commands,
    random: fastrand::Rng,
    home: Home,
    keeper: u32,
    workers: usize,
    begin: Instant,
    done: BTreeMap<&'static str, usize>,
}

impl Soak {
    /// Starts the app and its clients.
    pub fn begin(seed: u64) -> Self {
        let home = Home::new();
        let script = app_path("http.js").display().to_string();
        let workers = WORKERS.to_string();
        let mut args = vec!["start", &script, "--name", "app", "-i", &workers];
        // A worker is followed at once, however often it has been killed.
        args.extend(["--observe", "0", "--max-restarts", "1000000"]);
        args.extend(["--restart-delay", "20ms", "--kill-timeout", "2s"]);
        home.rota(&args).ok();
        let port = home.app("app").port().unwrap();
        // Few enough that reloads and crashes have the processors.
        let load = load_on(port).path("/slow?ms=20").keep_alive(2);
        let load = load.one_shot(2).idle(2, 50..200).start().unwrap();
        Self {
            load: Some(load),
            commands: Commands::quiet(),
            random: fastrand::Rng::with_seed(seed),
            keeper: home.daemon_pids().0,
            home,
            workers: WORKERS,
            begin: Instant::now(),
            done: BTreeMap::new(),
        }
    }

    /// A reload or another number of workers, and now and then a worker or the supervisor that is killed meanwhile.
    pub fn cycle(&mut self, deaths: bool) {
        if self.random.u8(..4) == 0 {
            let wanted = self.random.usize(1..=WORKERS + 1);
            self.scale(wanted);
        } else {
            self.command("reload", &["reload", "app"]);
        }
        if self.random.bool() {
            self.pause();
            self.kill_worker();
        }
        if deaths && self.random.bool() {
            self.pause();
            self.kill_supervisor();
        }
        self.commands.wait(Instant::now() + LIMIT);
    }

    fn scale(&mut self, wanted: usize) {
        self.workers = wanted;
        self.command("scale", &["scale", "app", &wanted.to_string()]);
    }

    fn command(&mut self, what: &'static str, args: &[&str]) {
        self.count(what);
        self.commands.begin(&self.home, args, Expected::Success);
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    /// Some part of what a command takes.
    fn pause(&mut self) {
        sleep(Duration::from_millis(self.random.u64(..200)));
    }

    fn kill_worker(&mut self) {
        let workers = living(&self.home).workers;
        if let Some(worker) = self.random.choice(&workers).copied() {
            signal(worker, Signal::KILL);
            self.count("worker killed");
        }
    }

    fn kill_supervisor(&mut self) {
        for supervisor in living(&self.home).supervisors {
            signal(supervisor, Signal::KILL);
            self.count("supervisor killed");
        }
    }

    /// Waits until it is calm, and measures. Where supervisors die, it is one that has just taken over.
    pub fn sample(&mut self, deaths: bool) -> Sample {
        self.scale(WORKERS);
        self.commands.wait(Instant::now() + LIMIT);
        self.calm();
        if deaths {
            let (_, supervisor) = self.home.daemon_pids();
            signal(supervisor, Signal::KILL);
            self.count("supervisor killed");
            another_supervisor(&self.home, supervisor);
            self.calm();
        }
        let sample = Sample {
            second: self.begin.elapsed().as_secs(),
            cycles: self.done.values().sum(),
            held: Measures::of(&self.home),
            files: files(&self.home).len(),
            processes: self.home.processes().len(),
            kept: self.kept(),
        };
        println!("{sample}");
        sample
    }

    fn calm(&self) -> App {
        eventually("calm", || {
            calm(&self.home).filter(|app| app.online() == self.workers)
        })
    }

    /// What the last supervisor that took over was handed, by its own words.
    fn kept(&self) -> Option<(u64, u64)> {
        let log = self.home.daemon_log();
        let mut told = log.lines().rev();
        let told = told.find(|line| line.contains("the supervisor has died"))?;
        let (entries, bytes) = told.rsplit_once(", ")?.1.split_once(" entries (")?;
        Some((
            entries.parse().ok()?,
            bytes.split_once(' ')?.0.parse().ok()?,
        ))
    }

    /// Ends it; gives what is wrong.
    pub fn finish(mut self) -> Vec<String> {
        let report = self.load.take().unwrap().stop_blocking();
        println!("{:?}\n{report}", self.done);
        let mut complaints = std::mem::take(&mut self.commands.complaints);
        // Whoever is killed takes requests along; the port stays open whoever is killed.
        let kinds = report.kinds.values();
        let refused = kinds.filter_map(|kind| kind.failed.get(&FailureKind::ConnectRefused));
        let refused: u64 = refused.sum();
        if refused > 0 {
            complaints.push(format!("{refused} connections were refused"));
        }
        if self.home.daemon_pids().0 != self.keeper {
            complaints.push("it is another keeper".to_owned());
        }
        for line in self.home.daemon_log().lines() {
            if line.contains("panicked") || line.contains("taken over from what runs") {
                complaints.push(line.to_owned());
            }
        }
        complaints
    }
}
