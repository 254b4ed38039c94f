//! Commands that run while other things happen, and what they are answered.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::home::Home;

/// What a command is to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Success, unless something that the test did came between.
    Success,
    /// A failure that is told: the new code does not work.
    Failure,
}

/// What a failed command may name as its cause: all of them are the test's doing.
const CAUSES: [&str; 6] = [
    "took its place",
    "SIGKILL",
    "SIGUSR2",
    "hung",
    "Too many open files",
    // With one to code that does not work.
    "joined with a reload",
];

/// A command under way.
struct Running {
    what: String,
    child: Child,
    begin: Instant,
    expected: Expected,
    said: PathBuf,
}

/// A command that has been answered.
pub struct Answered {
    /// The command line.
    pub what: String,
    /// Its exit code.
    pub code: Option<i32>,
}

/// All commands.
#[derive(Default)]
pub struct Commands {
    running: Vec<Running>,
    count: usize,
    quiet: bool,
    /// What was answered.
    pub answered: Vec<Answered>,
    /// Answers that make no sense.
    pub complaints: Vec<String>,
}

impl Commands {
    /// Commands whose answers are not written, and not kept if they are as expected.
    pub fn quiet() -> Self {
        let mut commands = Self::default();
        commands.quiet = true;
        commands
    }

    /// Starts a command.
    pub fn begin(&mut self, home: &Home, args: &[&str], expected: Expected) {
        self.count += 1;
        let said = home.path().join(format!("command-{}", self.count));
        let file = File::create(&said).unwrap();
        let mut command = home.command(args);
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        self.running.push(Running {
            what: args.join(" "),
            child: command.spawn().unwrap(),
            begin: Instant::now(),
            expected,
            said,
        });
    }

    /// Takes the answers that have come; true if none is awaited.
    pub fn none_left(&mut self) -> bool {
        let running = std::mem::take(&mut self.running);
        for mut command in running {
            match command.child.try_wait().unwrap() {
                None => self.running.push(command),
                Some(status) => self.judge(&command, status.code()),
            }
        }
        self.running.is_empty()
    }

    /// Waits until none is under way, until `limit` at most.
    #[track_caller]
    pub fn wait(&mut self, limit: Instant) {
        while !self.none_left() {
            let waiting = self.waiting();
            assert!(Instant::now() < limit, "not answered: {waiting}");
            sleep(Duration::from_millis(20));
        }
    }

    /// Those that are not answered yet.
    fn waiting(&self) -> String {
        let line = |running: &Running| {
            format!(
                "`rota {}` for {:?}, has said:\n{}",
                running.what,
                running.begin.elapsed(),
                fs::read_to_string(&running.said).unwrap_or_default()
            )
        };
        self.running.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn judge(&mut self, command: &Running, code: Option<i32>) {
        let said = fs::read_to_string(&command.said).unwrap_or_default();
        fs::remove_file(&command.said).ok();
        let excused = code == Some(1) && CAUSES.iter().any(|cause| said.contains(cause));
        let right = match command.expected {
            Expected::Success => code == Some(0) || excused,
            Expected::Failure => code == Some(1),
        };
        if !right {
            self.complaints
                .push(format!("`rota {}`: {code:?}:\n{said}", command.what));
        }
        if self.quiet {
            return;
        }
        let error = said.lines().find(|line| line.starts_with("error"));
        println!(
            "          `rota {}` after {:.1} s: {code:?} {}",
            command.what,
            command.begin.elapsed().as_secs_f64(),
            error.unwrap_or_default(),
        );
        self.answered.push(Answered {
            what: command.what.clone(),
            code,
        });
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        for command in &mut self.running {
            command.child.kill().ok();
            command.child.wait().ok();
        }
    }
}
