//! What the test has done to whom, and what the workers have written about themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds: the clock of everything that is compared.
pub fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs_f64() * 1000.0
}

/// How the test ended a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// SIGKILL.
    Killed,
    /// Its event loop was blocked for good.
    Hung,
}

/// What the test has done.
#[derive(Debug, Default)]
pub struct Book {
    /// Workers that the test has ended: how and when.
    pub deeds: BTreeMap<u32, (Deed, f64)>,
    /// When a supervisor was killed.
    pub deaths: Vec<f64>,
}

/// What a process of the app has written about itself.
#[derive(Debug, Default)]
pub struct Diary {
    /// Events of the process, and when: `start`, `listen`, `drain`, `broken`, `hang`, `exit`.
    pub events: BTreeMap<String, f64>,
    /// When it got a connection from this client's port.
    pub opened: BTreeMap<u16, Vec<f64>>,
    /// Requests begun and not finished, by client's port.
    pub running: BTreeMap<u16, i64>,
}

impl Diary {
    /// Whether this happened to it.
    pub fn has(&self, event: &str) -> bool {
        self.events.contains_key(event)
    }

    fn read(text: &str) -> Self {
        let mut diary = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(time), Some(event)) = (words.next(), words.next()) else {
                continue;
            };
            let time: f64 = time.parse().unwrap();
            let port = words.next().and_then(|port| port.parse().ok());
            match (event, port) {
                ("open", Some(port)) => {
                    diary.opened.entry(port).or_default().push(time);
                    diary.running.remove(&port);
                }
                ("begin", Some(port)) => *diary.running.entry(port).or_default() += 1,
                ("end", Some(port)) => *diary.running.entry(port).or_default() -= 1,
                _ => {
                    diary.events.insert(event.to_owned(), time);
                }
            }
        }
        diary
    }
}

/// Whether the process has come so far that it serves.
pub fn serves(folder: &Path, pid: u32) -> bool {
    let text = std::fs::read_to_string(folder.join(pid.to_string()));
    text.is_ok_and(|text| text.lines().any(|line| line.ends_with(" listen")))
}

/// All processes of the app that there ever were.
pub fn diaries(folder: &Path) -> BTreeMap<u32, Diary> {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    files
        .map(|file| {
            let pid = file.file_name().to_string_lossy().parse().unwrap();
            (
                pid,
                Diary::read(&std::fs::read_to_string(file.path()).unwrap()),
            )
        })
        .collect()
}

/// All lines about a client's port between two times, of all processes, in their order.
pub fn trail(folder: &Path, port: u16, from: f64, to: f64) -> String {
    let mut lines = Vec::new();
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        for line in text.lines() {
            let mut words = line.split(' ');
            let time: f64 = words.next().and_then(|time| time.parse().ok()).unwrap();
            let event = words.next().unwrap_or_default();
            if words.next().is_some_and(|word| word == port.to_string())
                && time >= from
                && time <= to
            {
                let pid = file.file_name().display().to_string();
                lines.push((time, format!("{event} in {pid} at {:.0} ms", time - from)));
            }
        }
    }
    lines.sort_by(|one, other| one.0.total_cmp(&other.0));
    let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    lines.join(", ")
}
