//! A process in the foreground, with what it writes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::Signal;

use super::process::signal;
use super::wait::{LIMIT, eventually};

/// `rota run`, or a client that runs beside a test.
pub struct Foreground {
    /// The process: the keeper.
    pub child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Foreground {
    /// Starts the command and follows both of its outputs.
    pub fn start(command: &mut Command) -> Self {
        Self::with_input(command, Stdio::null())
    }

    /// The same with this standard input; a pipe is `child.stdin`.
    pub fn with_input(command: &mut Command, input: Stdio) -> Self {
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    sender.send(line).ok();
                }
            });
        }
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line that contains `text`.
    #[track_caller]
    pub fn until_says(&mut self, text: &str) -> String {
        if let Some(line) = self.seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        loop {
            let Ok(line) = self.lines.recv_timeout(LIMIT) else {
                panic!("never said `{text}`, but:\n{}", self.seen.join("\n"));
            };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// A line that contains `text`, if there is one by now or shortly.
    pub fn try_says(&mut self, text: &str) -> Option<String> {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(50)) {
            self.seen.push(line);
        }
        self.seen.iter().find(|line| line.contains(text)).cloned()
    }

    /// All lines up to its end.
    pub fn rest(&mut self) -> &[String] {
        self.seen.extend(self.lines.iter());
        &self.seen
    }

    /// Sends it a signal.
    pub fn signal(&self, number: Signal) {
        signal(self.child.id(), number);
    }

    /// Waits for its end; gives the exit code, or 128 + the signal.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let status = eventually("the end of the process in the foreground", || {
            self.child.try_wait().unwrap()
        });
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
    }
}

impl Drop for Foreground {
    /// The polite end would hide what is left behind; the home looks for that afterwards.
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.signal(Signal::QUIT);
            for _ in 0..500 {
                if self.child.try_wait().unwrap().is_some() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
