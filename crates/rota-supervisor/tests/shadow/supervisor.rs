//! The supervisor's part: accepts, deals to one worker, and closes what that acknowledges, until it is killed.

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;
use std::time::Duration;

use rota_supervisor::shadow::{Entry, Guarded, Ledger, Shadow, rescue};
use rota_sys::fds::claim_inherited;
use rota_sys::{net, scm};
use rustix::event::{PollFd, PollFlags, poll};

pub const APP: u32 = 7;
pub const SOCKET: u64 = 70;
pub const WORKER: u64 = 700;

pub const LISTENING_FD: i32 = 3;
pub const CHANNEL_FD: i32 = 4;
pub const LINE_FD: i32 = 5;
/// And further ones: lines of earlier supervisors.
pub const OLD_LINES: i32 = 6;

/// Connections that the worker may have been sent and not acknowledged.
const ROOM: usize = 48;

struct Part {
    ledger: Ledger,
    channel: OwnedFd,
    waiting: VecDeque<Guarded>,
    dealt: HashMap<u64, Guarded>,
    seq: u64,
}

/// Arguments: what to do, the generation, and how many old lines there are.
pub fn run(args: &[String]) -> ExitCode {
    let [what, generation, old_lines] = args else {
        panic!("{args:?}")
    };
    let claim = |number| claim_inherited(number).unwrap();
    let (listening, channel) = (claim(LISTENING_FD), claim(CHANNEL_FD));
    let ledger = Ledger::new().unwrap();
    let shadow = Shadow::start(ledger, claim(LINE_FD)).unwrap();
    let old_lines: i32 = old_lines.parse().unwrap();
    let lines = (0..old_lines).map(|n| claim(OLD_LINES + n)).collect();
    let mut part = Part {
        ledger,
        channel,
        waiting: VecDeque::new(),
        dealt: HashMap::new(),
        seq: generation.parse::<u64>().unwrap() << 32,
    };
    part.say(shadow.pid().into());
    part.take_over(lines);
    match what.as_str() {
        "deal" => part.deal_for_ever(&listening),
        "hold" => part.hold_for_ever(&listening),
        "farewell" => part.leave(&listening),
        "watch" => part.watch(&shadow),
        other => panic!("{other}"),
    }
}

impl Part {
    fn say(&self, number: u64) {
        scm::send(&self.channel, &number.to_le_bytes(), &[]).unwrap();
    }

    fn take_over(&mut self, lines: Vec<OwnedFd>) {
        let rescue = rescue(self.ledger, lines, Duration::from_secs(10));
        for rescued in rescue.connections {
            match rescued.entry {
                Entry::Held { .. } => self.waiting.push_back(rescued.connection),
                // It would ask the worker. The test counts them as they are.
                Entry::Sending { seq, .. } | Entry::Sent { seq, .. } => {
                    self.dealt.insert(seq, rescued.connection);
                }
            }
        }
    }

    fn deal_for_ever(mut self, listening: &OwnedFd) -> ! {
        loop {
            let mut fds = [
                PollFd::new(listening, PollFlags::IN),
                PollFd::new(&self.channel, PollFlags::IN),
            ];
            poll(&mut fds, None).unwrap();
            for _ in 0..8 {
                self.accept(listening);
            }
            self.deal();
            self.hear();
        }
    }

    fn accept(&mut self, listening: &OwnedFd) -> bool {
        let accepting = self.ledger.accept(listening, APP, SOCKET);
        let Ok((connection, _)) = net::accept(listening) else {
            return false;
        };
        self.waiting.push_back(accepting.accepted(connection));
        true
    }

    fn deal(&mut self) {
        while self.dealt.len() < ROOM
            && let Some(connection) = self.waiting.pop_front()
        {
            self.seq += 1;
            connection.sending(WORKER, self.seq);
            // Now and then the worker's channel is full.
            let sent = if self.seq.is_multiple_of(9) {
                Err(ErrorKind::WouldBlock.into())
            } else {
                scm::send_one(&self.channel, &self.seq.to_le_bytes(), connection.as_fd())
            };
            if sent.is_ok() {
                connection.sent();
                self.dealt.insert(self.seq, connection);
            } else {
                connection.back();
                self.waiting.push_front(connection);
            }
        }
    }

    fn hear(&mut self) {
        let mut buffer = [0; 8];
        while let Ok(received) = scm::recv(&self.channel, &mut buffer) {
            if received.len == 0 {
                std::process::exit(1);
            }
            self.dealt.remove(&u64::from_le_bytes(buffer));
        }
    }

    /// Says how many it holds, whenever that changes.
    fn hold_for_ever(mut self, listening: &OwnedFd) -> ! {
        loop {
            let mut fds = [PollFd::new(listening, PollFlags::IN)];
            poll(&mut fds, None).unwrap();
            while self.accept(listening) {}
            self.say(self.waiting.len() as u64);
        }
    }

    fn leave(mut self, listening: &OwnedFd) -> ExitCode {
        let mut fds = [PollFd::new(listening, PollFlags::IN)];
        poll(&mut fds, None).unwrap();
        assert!(self.accept(listening));
        self.ledger.farewell();
        // As a process does that ends in a hurry: nothing is closed before.
        std::process::exit(0);
    }

    fn watch(self, shadow: &Shadow) -> ExitCode {
        assert!(!shadow.has_ended());
        self.say(0);
        let mut fds = [PollFd::new(shadow, PollFlags::IN)];
        poll(&mut fds, None).unwrap();
        assert!(shadow.has_ended());
        self.say(1);
        ExitCode::SUCCESS
    }
}
