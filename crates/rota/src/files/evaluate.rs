//! Configuration that is a program: Node evaluates it, with limits.

use std::io::{self, PipeReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rota_api::ExitCode;
use rota_config::Env;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::Deserialize;
use serde_json::Value;

use super::LARGEST;
use crate::failure::Failure;
use crate::output::{clean, cut};

/// The program that evaluates a file.
const PROGRAM: &str = include_str!("evaluate.cjs");
/// How long a file may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long what was printed is waited for when all has been said: a process that the file has started may hold it.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// What a file prints is kept so far, in bytes.
const PRINTED: usize = 16 * 1024;
/// So many lines of it are shown.
const LINES: usize = 12;
/// And so much of each, in characters.
const COLUMNS: usize = 200;

/// What a file came to.
#[derive(Debug)]
pub struct Evaluated {
    /// Its value.
    pub value: Value,
    /// What is to be said about it: functions that were left out, and what the file has printed.
    pub remarks: Vec<String>,
}

/// What the program answers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Value {
        value: Value,
        functions: Vec<String>,
    },
    Error {
        error: String,
        stack: String,
    },
}

enum Event {
    /// A line, or as much of it as there was.
    Answer(Vec<u8>),
    Ended(io::Result<ExitStatus>),
}

/// Evaluates a JavaScript file by the `node` of `PATH`, in the environment `env`; `path` is absolute.
///
/// # Errors
/// If there is no Node, or the file throws, ends the process, takes longer than 10 s or says more than 1 MiB.
pub fn evaluate(path: &Path, env: &Env) -> Result<Evaluated, Failure> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let name = clean(&name).into_owned();
    let run = start(path, env).map_err(|error| not_started(&name, &error))?;
    let (events, printed) = (run.events, run.printed);
    let mut line: Option<Vec<u8>> = None;
    let mut status = None;
    let end = Instant::now() + LIMIT;
    // An empty answer is none: how the process ends tells why.
    while line.as_ref().is_none_or(Vec::is_empty) && (line.is_none() || status.is_none()) {
        let left = match status {
            // Its answer is in the pipe, or there is none.
            Some(_) => LAST_WORDS,
            None => end.saturating_duration_since(Instant::now()),
        };
        match events.recv_timeout(left) {
            Ok(Event::Answer(answer)) => line = Some(answer),
            Ok(Event::Ended(ended)) => status = Some(ended.ok()),
            Err(_) => break,
        }
    }
    // Nothing that it still does is of interest. It may have ended already.
    let _gone = pidfd_send_signal(&run.pidfd, Signal::KILL);
    let printed = printed
        .recv_timeout(LAST_WORDS)
        .map_or_else(|_| Vec::new(), |text| lines(&text));
    let line = line.unwrap_or_default();
    if line.len() as u64 > LARGEST {
        return Err(Failure::usage(format!("{name} comes to more than 1 MiB")));
    }
    if let Ok(answer) = serde_json::from_slice(&line) {
        return judge(&name, answer, printed);
    }
    let why = match status {
        None if line.is_empty() => format!("{name} was not read within {} s", LIMIT.as_secs()),
        None => format!("{name} was not read: its answer makes no sense"),
        Some(Some(status)) if status.success() => {
            format!("{name} ended Node (process.exit) before it said what its apps are")
        }
        Some(Some(status)) => format!("{name} was not read: Node ended with {status}"),
        Some(None) => format!("{name} was not read: Node has ended"),
    };
    Err(Failure {
        detail: printed,
        ..Failure::usage(why).hint(format!("`node {name}` shows what it does"))
    })
}

fn judge(name: &str, answer: Answer, printed: Vec<String>) -> Result<Evaluated, Failure> {
    match answer {
        Answer::Value { value, functions } => {
            let mut remarks: Vec<String> = printed
                .into_iter()
                .map(|line| format!("{name} says: {line}"))
                .collect();
            if !functions.is_empty() {
                let list = clean(&functions.join(", ")).into_owned();
                remarks.push(format!("warning: {name}: functions are left out: {list}"));
            }
            Ok(Evaluated { value, remarks })
        }
        Answer::Error { error, stack } => {
            let first = error.lines().next().unwrap_or_default();
            let mut failure =
                Failure::usage(format!("{name} cannot be evaluated: {}", clean(first)));
            let ours = |line: &&str| {
                !line.contains("node:internal")
                    && !line.contains("[eval]")
                    && !line.trim().is_empty()
            };
            failure.detail = stack
                .lines()
                .filter(ours)
                .take(LINES)
                .map(|line| clean(line).into_owned())
                .collect();
            failure.detail.extend(printed);
            if error.contains("Cannot use import statement")
                || error.contains("Unexpected token 'export'")
            {
                failure.hint = Some("it is an ES module: call it .mjs".to_owned());
            } else if error.contains("module is not defined") {
                failure.hint = Some("package.json says that it is an ES module: call it .cjs, or write `export default`".to_owned());
            }
            Err(failure)
        }
    }
}

fn not_started(name: &str, error: &io::Error) -> Failure {
    let failure = Failure::new(
        ExitCode::CannotRun,
        format!("{name} is a program, and Node cannot be started to evaluate it"),
    );
    failure.because(error).hint(
        "install Node so that `node` is in PATH, or write the file as JSON, YAML or rota.toml",
    )
}

/// A file under evaluation.
struct Run {
    pidfd: std::os::fd::OwnedFd,
    events: Receiver<Event>,
    /// What it has printed, when that has come to its end.
    printed: Receiver<Vec<u8>>,
}

fn start(path: &Path, env: &Env) -> io::Result<Run> {
    // Its standard input is the one descriptor that it hardly uses: the answer goes there.
    let (answer, input) = io::pipe()?;
    let (output, said) = io::pipe()?;
    let mut command = Command::new("node");
    command
        .arg("--eval")
        .arg(PROGRAM)
        .arg("--")
        .arg(path)
        .env_clear()
        .envs(env.iter())
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(said.try_clone()?))
        .stderr(Stdio::from(said));
    let child = command.spawn()?;
    drop(command);
    let pid = rustix::process::Pid::from_child(&child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let (to_events, events) = channel();
    let (to_printed, printed) = channel();
    listen(answer, to_events.clone());
    wait(child, to_events);
    thread::spawn(move || {
        // Nobody may be waiting for it any more.
        let _unheard = to_printed.send(bounded(output));
    });
    Ok(Run {
        pidfd,
        events,
        printed,
    })
}

fn wait(mut child: Child, events: Sender<Event>) {
    thread::spawn(move || {
        let _unheard = events.send(Event::Ended(child.wait()));
    });
}

/// Reads one line: a process that the file has started may keep the pipe open.
fn listen(mut answer: PipeReader, events: Sender<Event>) {
    thread::spawn(move || {
        let mut line = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        while line.len() as u64 <= LARGEST {
            match answer.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(length) => line.extend_from_slice(&piece[..length]),
            }
            if line.ends_with(b"\n") {
                break;
            }
        }
        let _unheard = events.send(Event::Answer(line));
    });
}

/// Reads to the end, and keeps the beginning.
fn bounded(mut output: PipeReader) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = output.read(&mut piece) {
        let room = PRINTED.saturating_sub(kept.len()).min(length);
        kept.extend_from_slice(&piece[..room]);
    }
    kept
}

fn lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| cut(&clean(line), COLUMNS).into_owned())
        .collect();
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    if more > 0 {
        lines.push(format!("and {more} lines more"));
    }
    lines
}
