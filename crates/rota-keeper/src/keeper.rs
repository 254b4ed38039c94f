//! The keeper's state and its loop.
//!
//! One thread, one `poll`. Nothing in the loop waits for the supervisor. The one thing that may take time is a
//! spawn, which waits until the new program has replaced the copy of the keeper (as a shell does).

use std::io;
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rota_sys::signal::{Signal, Signals};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::children::Children;
use crate::groups::Groups;
use crate::link::{Packet, Received};
use crate::log;
use crate::notify::Manager;
use crate::options::Settings;
use crate::orphans::Orphans;
use crate::outbox::Outbox;
use crate::protocol::{FromKeeper, Hello, PROTOCOL_VERSION};
use crate::store::Store;
use crate::supervisor::Supervisor;
use crate::tag::Tag;
use crate::transaction::Transaction;
use crate::upgrade::Upgrade;
use crate::watchdog::Watchdog;

/// The signals that are handed to the supervisor.
pub(crate) const FORWARDED: [Signal; 8] = [
    Signal::HUP,
    Signal::USR1,
    Signal::USR2,
    Signal::TERM,
    Signal::INT,
    Signal::QUIT,
    Signal::TTIN,
    Signal::TTOU,
];
/// Dead processes dealt with, and packets read, before looking at everything else again.
pub(crate) const BATCH: usize = 256;
/// Packets read from a dead supervisor: more than a socket holds (see `supervisor::SOCKET_BUFFER`).
const LAST_WORDS: usize = 16 * BATCH;
/// How long a supervisor may take to exit after it has sent `Exit`.
const SUPERVISOR_GRACE: Duration = Duration::from_secs(5);
/// How long killed children may take to die before the keeper leaves anyway.
const CHILDREN_GRACE: Duration = Duration::from_secs(7);

/// Everything the keeper knows.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) settings: Settings,
    pub(crate) signals: Signals,
    pub(crate) tag: Tag,
    pub(crate) store: Store,
    pub(crate) groups: Groups,
    pub(crate) children: Children,
    pub(crate) orphans: Orphans,
    pub(crate) supervisor: Supervisor,
    pub(crate) outbox: Outbox,
    pub(crate) transaction: Transaction,
    /// Signals that came when there was no supervisor.
    pub(crate) unseen: Vec<i32>,
    pub(crate) leaving: Option<Leaving>,
    pub(crate) upgrade: Upgrade,
    pub(crate) manager: Manager,
    pub(crate) watchdog: Option<Watchdog>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving {
    code: i32,
    supervisor_until: Instant,
    children_until: Instant,
}

/// What `poll` has found.
struct Ready {
    signals: bool,
    readable: bool,
    hung_up: bool,
    moved: Vec<u64>,
}

impl Keeper {
    /// Runs until the end, and returns the exit code.
    pub(crate) fn run(mut self) -> i32 {
        // Children of an earlier image may have ended before this one could be told.
        self.reap_some();
        loop {
            self.advance();
            if let Some(code) = self.done() {
                self.remove_groups();
                return code;
            }
            let ready = self.wait();
            if ready.signals {
                self.read_signals();
            }
            // Also when no signal was read: one may stand for many deaths, of which a batch was dealt with.
            self.reap_some();
            self.end_moved(&ready.moved);
            if ready.readable || ready.hung_up {
                self.read_requests(ready.hung_up);
            }
        }
    }

    /// What is due at this time.
    fn advance(&mut self) {
        let now = Instant::now();
        for child in self
            .orphans
            .sweep(&self.tag, &self.children, self.supervisor.pid(), now)
        {
            let group = self.children.take_group(child);
            let counted = group.map(|group| self.groups.retire(group));
            if let Some((pid, exit)) = self.children.announce(child, counted) {
                self.outbox.push(&FromKeeper::Exited { child, pid, exit });
            }
        }
        if self
            .leaving
            .is_some_and(|leaving| now >= leaving.supervisor_until)
        {
            self.supervisor.kill();
        }
        self.advance_upgrade(now);
        let due = self.supervisor.deadline().is_some_and(|at| now >= at);
        if due
            && self.supervisor.link.is_none()
            && self.leaving.is_none()
            && self.supervisor.start(&self.settings, now)
        {
            self.hand_back();
        }
        self.give_sign(now);
        self.manager.flush(now);
        if let Some(link) = &self.supervisor.link {
            self.outbox.flush(link, now);
        }
    }

    /// The exit code, once there is nothing left to do.
    fn done(&self) -> Option<i32> {
        let leaving = self.leaving?;
        let nobody = self.supervisor.pid().is_none()
            && !self.children.any_running()
            && self.orphans.is_idle();
        (nobody || Instant::now() >= leaving.children_until).then_some(leaving.code)
    }

    fn wait(&self) -> Ready {
        let moved: Vec<_> = self.children.moved().collect();
        let mut fds = vec![PollFd::new(&self.signals, PollFlags::IN)];
        fds.extend(
            moved
                .iter()
                .map(|(_, pidfd)| PollFd::from_borrowed_fd(*pidfd, PollFlags::IN)),
        );
        let inhabited = self.orphans.inhabited();
        fds.extend(inhabited.map(|events| PollFd::from_borrowed_fd(events, PollFlags::PRI)));
        if let Some(link) = &self.supervisor.link {
            let mut interest = PollFlags::empty();
            interest.set(PollFlags::IN, self.outbox.has_room());
            interest.set(PollFlags::OUT, self.outbox.wants_to_write());
            fds.push(PollFd::from_borrowed_fd(link.as_fd(), interest));
        }
        let timeout = self.timeout();
        // Interrupted, or out of memory: every source is looked at again in the next turn.
        let _ = poll(&mut fds, timeout.as_ref());
        let is = |fd: Option<&PollFd<'_>>, what| fd.is_some_and(|fd| fd.revents().intersects(what));
        let line = self.supervisor.link.as_ref().and(fds.last());
        Ready {
            signals: is(fds.first(), PollFlags::IN),
            readable: is(line, PollFlags::IN),
            hung_up: is(line, PollFlags::HUP | PollFlags::ERR),
            moved: moved
                .iter()
                .zip(&fds[1..])
                .filter(|(_, fd)| is(Some(fd), PollFlags::IN))
                .map(|((key, _), _)| *key)
                .collect(),
        }
    }

    fn timeout(&self) -> Option<Timespec> {
        let supervisor = self
            .supervisor
            .deadline()
            .filter(|_| self.supervisor.link.is_none() && self.leaving.is_none());
        let leaving = self.leaving.map(|leaving| {
            let supervisor = self
                .supervisor
                .pid()
                .map(|_| leaving.supervisor_until)
                .filter(|at| *at > Instant::now());
            supervisor.unwrap_or(leaving.children_until)
        });
        let deadlines = [
            supervisor,
            leaving,
            self.orphans.deadline(),
            self.outbox.deadline(),
            self.upgrade.deadline(),
            self.manager.deadline(),
            self.watchdog.as_ref().map(Watchdog::deadline),
        ];
        let left = deadlines
            .into_iter()
            .flatten()
            .min()?
            .saturating_duration_since(Instant::now());
        Timespec::try_from(left).ok()
    }

    fn read_signals(&mut self) {
        while let Ok(Some(received)) = self.signals.read() {
            if received.signal != Signal::CHLD {
                self.forward(received.signal);
            }
        }
    }

    /// Tells the supervisor. When there is none, a second request to end is obeyed here: a supervisor that
    /// cannot start must not make the service unstoppable.
    fn forward(&mut self, signal: Signal) {
        let number = signal.number();
        if self.supervisor.link.is_some() {
            return self.outbox.push(&FromKeeper::Signal { number });
        }
        let ends = |number| {
            [Signal::TERM, Signal::INT, Signal::QUIT]
                .map(Signal::number)
                .contains(&number)
        };
        if !self.is_leaving() && ends(number) && self.unseen.iter().any(|seen| ends(*seen)) {
            log(format_args!(
                "{signal}, and no supervisor: everything is stopped at once"
            ));
            self.leave(128 + number);
        }
        self.remember(number);
    }

    fn remember(&mut self, number: i32) {
        if !self.unseen.contains(&number) {
            self.unseen.push(number);
        }
    }

    fn read_requests(&mut self, hung_up: bool) {
        for _ in 0..BATCH {
            // The answers to what a dead supervisor has asked go nowhere, and need no room.
            if !(hung_up || self.outbox.has_room()) || !self.read_request() {
                return;
            }
        }
    }

    /// Carries out the next request; false when there is none.
    fn read_request(&mut self) -> bool {
        let Some(link) = &self.supervisor.link else {
            return false;
        };
        match link.recv() {
            Ok(Received {
                packet: Packet::Closed,
                ..
            }) => self.line_closed(),
            Ok(received) => {
                self.receive(received);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                log(format_args!("cannot read from the supervisor: {error}"));
                self.line_closed();
            }
        }
        false
    }

    /// Carries out what a dead supervisor has sent before, and closes the line: somebody else may hold a
    /// copy of its other end, and must not keep the next one from starting.
    pub(crate) fn hear_last_words(&mut self) {
        for _ in 0..LAST_WORDS {
            if !self.read_request() {
                break;
            }
        }
        self.line_closed();
    }

    /// Nothing more comes from this supervisor. One that lives on without its line is of no use.
    fn line_closed(&mut self) {
        self.supervisor.link = None;
        self.transaction.forget();
        if let Some(watchdog) = &mut self.watchdog {
            watchdog.forget();
        }
        for number in self.outbox.reset() {
            self.remember(number);
        }
        if self.leaving.is_none() {
            self.supervisor.kill();
        }
    }

    /// Tells a new supervisor what there is.
    fn hand_back(&mut self) {
        for number in self.outbox.reset() {
            self.remember(number);
        }
        self.outbox.push(&FromKeeper::Hello(Hello {
            protocol: PROTOCOL_VERSION,
            keeper_pid: std::process::id(),
            version: self.settings.version.clone(),
            foreground: self.settings.foreground,
            restarts: self.supervisor.deaths,
            last_exit: self.supervisor.last_exit,
            series: self.supervisor.series(),
            upgrade: self.upgrade.note().cloned(),
            groups: Some(Box::new(self.groups.note())),
            mark: Some(self.tag.keeper().to_owned()),
            keeps_sockets: self.manager.keeps_sockets(),
        }));
        for (key, entry) in self.store.iter() {
            let message = FromKeeper::Entry {
                key: key.clone(),
                blob: entry.blob.clone(),
            };
            self.outbox.push_with(&message, Rc::clone(&entry.fds));
        }
        for (child, state) in self.children.iter() {
            let message = FromKeeper::Child {
                child,
                pid: state.pid(),
                exited: state.announced_exit(),
                group: state.group_path(),
            };
            self.outbox.push(&message);
        }
        self.outbox.push(&FromKeeper::Restored);
        for number in std::mem::take(&mut self.unseen) {
            self.outbox.push(&FromKeeper::Signal { number });
        }
    }

    /// Begins the end: kills every child. What else is to be done, the loop does.
    pub(crate) fn leave(&mut self, code: i32) {
        self.upgrade.abandon();
        for (_, child) in self.children.iter().filter(|(_, child)| child.runs()) {
            child.kill_groups();
        }
        let now = Instant::now();
        self.leaving.get_or_insert(Leaving {
            code,
            supervisor_until: now + SUPERVISOR_GRACE,
            children_until: now + CHILDREN_GRACE,
        });
    }

    /// What somebody lives in still, who would not die in time, stays.
    fn remove_groups(&mut self) {
        for group in self.children.take_groups() {
            self.groups.discard(group);
        }
        self.groups.dissolve();
    }

    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }
}
