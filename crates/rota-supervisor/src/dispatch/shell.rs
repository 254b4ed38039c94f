//! The thread: one epoll loop over the workers' channels and the listening sockets.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rota_node::Primary;
use rota_node::channel::Decoder;
use rota_node::primary::{Millis, Tuning};
use rustix::event::{Timespec, epoll};

use super::drain::Draining;
use super::handle::{HandleGone, Inbox, Order};
use super::io::{AppHost, Events, Io};
use super::keep::Keep;
use super::live::LivePeers;
use super::token::Token;
use super::types::DispatchEvent;
use crate::shadow::Guarded;

/// Bytes read from a worker per turn: what one says must not hold up the others.
const READ: usize = 16 * 1024;
/// Events per turn.
const EVENTS: usize = 128;
/// The longest line of a worker that is kept. Longer messages are for nobody here.
const MAX_LINE: usize = 1024 * 1024;
/// The part of the time that may be spent on the kernel's list of connections: one in so many.
const LOOKING_SHARE: u64 = 200;

/// One app: its primary, and the states of the primary at which its sockets were watched and it was saved.
pub(super) struct App {
    pub(super) primary: Primary<Guarded>,
    revision: u64,
    pub(super) saved: u64,
}

impl App {
    pub(super) fn new(primary: Primary<Guarded>) -> Self {
        // No primary has these numbers.
        Self {
            primary,
            revision: u64::MAX,
            saved: 0,
        }
    }
}

/// Everything that the thread owns.
pub(super) struct Shell {
    inbox: Inbox,
    pub(super) io: Io,
    pub(super) apps: HashMap<u32, App>,
    pub(super) decoders: HashMap<u64, Decoder<Guarded>>,
    /// Sockets at which somebody may wait.
    pub(super) ready: VecDeque<u64>,
    /// Nothing is accepted before, because descriptors or memory have run out.
    pub(super) paused_until: Option<Millis>,
    /// When it was told last that there are no descriptors.
    pub(super) shortage_told: Option<Millis>,
    /// When something is to be done without an event.
    wake_at: Option<Millis>,
    pub(super) live: LivePeers,
    /// Workers that finish what they have.
    pub(super) draining: Vec<Draining>,
    started: Instant,
    pub(super) buffer: Vec<u8>,
}

impl Shell {
    pub(super) fn new(inbox: Inbox, events: Events, keep: Box<dyn Keep>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = epoll::EventFlags::IN;
        epoll::add(&epoll, inbox.event(), Token::Bell.into(), flags)?;
        Ok(Self {
            inbox,
            io: Io::new(epoll, events, keep),
            apps: HashMap::new(),
            decoders: HashMap::new(),
            ready: VecDeque::new(),
            paused_until: None,
            shortage_told: None,
            wake_at: None,
            live: LivePeers::default(),
            draining: Vec::new(),
            started: Instant::now(),
            buffer: vec![0; READ],
        })
    }

    /// Works until the handle is gone.
    pub(super) fn run(&mut self) {
        let mut space = [const { MaybeUninit::<epoll::Event>::uninit() }; EVENTS];
        let mut busy = false;
        loop {
            let timeout = self.timeout(busy);
            let events = match epoll::wait(&self.io.epoll, &mut space, timeout.as_ref()) {
                Ok((events, _)) => &*events,
                // An interruption.
                Err(_) => &[],
            };
            self.io.now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            for event in events {
                if self.event(*event).is_err() {
                    return;
                }
            }
            self.on_time();
            busy = self.accept_ready();
            self.count_connections();
            self.save_all();
        }
    }

    fn event(&mut self, event: epoll::Event) -> Result<(), HandleGone> {
        let flags = event.flags;
        match Token::from(event.data) {
            Token::Bell => return self.orders(),
            Token::Socket(number) => {
                if let Some(socket) = self.io.sockets.by_number(number)
                    && !std::mem::replace(&mut socket.ready, true)
                {
                    self.ready.push_back(number);
                }
            }
            Token::Channel(worker) => {
                if flags.contains(epoll::EventFlags::OUT) && self.io.flush(worker) {
                    self.with_primary_of(worker, |primary, host, now| {
                        primary.writable(worker, now, host);
                    });
                }
                if flags != epoll::EventFlags::OUT {
                    self.read(worker);
                }
            }
        }
        Ok(())
    }

    fn orders(&mut self) -> Result<(), HandleGone> {
        self.inbox.silence();
        while let Some(order) = self.inbox.next()? {
            match order {
                Order::Command(command) => self.order(command),
                Order::Found(found) => self.count_found(&found),
            }
        }
        Ok(())
    }

    /// Runs something on the primary that a worker belongs to.
    pub(super) fn with_primary_of(
        &mut self,
        worker: u64,
        work: impl FnOnce(&mut Primary<Guarded>, &mut AppHost<'_>, Millis),
    ) {
        if let Some(app) = self.io.links.get(&worker).map(|link| link.app) {
            self.with_primary(app, work);
        }
    }

    /// Runs something on an app's primary.
    pub(super) fn with_primary(
        &mut self,
        app: u32,
        work: impl FnOnce(&mut Primary<Guarded>, &mut AppHost<'_>, Millis),
    ) {
        let now = self.io.now;
        if let Some(state) = self.apps.get_mut(&app) {
            self.io.hold();
            let mut host = AppHost {
                io: &mut self.io,
                app,
            };
            work(&mut state.primary, &mut host, now);
            self.settle(app);
        }
    }

    /// What follows everything that an app's primary has been told: its state is saved, and then what it has to say
    /// is sent.
    pub(super) fn settle(&mut self, app: u32) {
        self.save(app);
        self.io.release();
        self.watch_sockets(app);
    }

    /// Watches those sockets of an app from which its primary is to accept.
    fn watch_sockets(&mut self, app: u32) {
        let Some(state) = self.apps.get_mut(&app) else {
            return;
        };
        let revision = state.primary.revision();
        if state.revision == revision {
            return;
        }
        state.revision = revision;
        let primary = &state.primary;
        for listener in primary.listeners() {
            for socket in primary.sockets(listener.id) {
                let armed = primary.accepts(socket);
                self.io.sockets.arm(app, socket, armed, &self.io.epoll);
            }
        }
    }

    pub(super) fn add_worker(
        &mut self,
        worker: u64,
        app: u32,
        slot: u32,
        role: rota_node::primary::Role,
        inherits: Vec<i32>,
        socket: OwnedFd,
    ) {
        if let Err(error) = self.io.add_link(worker, app, inherits, socket) {
            let what = format!("the channel of worker {worker} cannot be used: {error}");
            (self.io.events)(DispatchEvent::Trouble { what });
            (self.io.events)(DispatchEvent::ChannelClosed { worker });
            return;
        }
        self.decoders.insert(worker, Decoder::new(MAX_LINE));
        let new = || App::new(Primary::new(random_seed(), Tuning::default()));
        let state = self.apps.entry(app).or_insert_with(new);
        state.primary.add_worker(worker, slot, role);
        self.settle(app);
    }

    /// Closes a worker's channel and gives to others what it had not taken.
    pub(super) fn forget_worker(&mut self, worker: u64) {
        let app = self.io.links.get(&worker).map(|link| link.app);
        self.tell_undrained(worker);
        self.io.drop_link(worker);
        self.decoders.remove(&worker);
        if let Some(app) = app {
            self.with_primary(app, |primary, host, now| {
                primary.remove_worker(worker, now, host);
            });
        }
    }

    /// What time has brought.
    fn on_time(&mut self) {
        let now = self.io.now;
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
        }
        let over = self.io.later.iter().filter(|(at, _)| *at <= now);
        let over: Vec<u64> = over.map(|(_, worker)| *worker).collect();
        if !over.is_empty() {
            self.io.later.retain(|(at, _)| *at > now);
            for worker in over {
                self.with_primary_of(worker, |primary, host, now| {
                    primary.writable(worker, now, host);
                });
            }
        }
        self.look_at_draining();
        if self.wake_at.is_none_or(|at| at > now) {
            return;
        }
        let apps: Vec<u32> = self.apps.keys().copied().collect();
        for app in apps {
            self.with_primary(app, |primary, host, now| primary.tick(now, host));
        }
    }

    /// How long nothing needs to be done, unless something happens.
    fn timeout(&mut self, busy: bool) -> Option<Timespec> {
        let paused = self.paused_until.into_iter();
        let later = self.io.later.iter().map(|(at, _)| *at);
        let apps = self.apps.values();
        let apps = apps.filter_map(|state| state.primary.next_deadline(self.io.now));
        let draining = self.draining.iter().map(|entry| entry.next);
        self.wake_at = paused.chain(later).chain(apps).chain(draining).min();
        let wait = match self.wake_at {
            _ if busy => 0,
            None => return None,
            Some(at) => at.saturating_sub(self.io.now),
        };
        let wait = std::time::Duration::from_millis(wait);
        Timespec::try_from(wait).ok()
    }

    /// Now and then, while connections come in, learns from the kernel which have ended.
    fn count_connections(&mut self) {
        let now = self.io.now;
        for state in self.apps.values_mut() {
            let listeners = state.primary.to_reconcile(now);
            if listeners.is_empty() {
                continue;
            }
            let asked = Instant::now();
            for (listener, port) in listeners {
                match self.live.of_port(port) {
                    Ok(peers) => state.primary.reconcile(listener, now, peers),
                    Err(error) => {
                        state.primary.unfollow(listener, now);
                        if let Some(what) = error {
                            (self.io.events)(DispatchEvent::Trouble { what });
                        }
                    }
                }
            }
            // Where the kernel has large tables the answer takes milliseconds.
            let took = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            let pause = took.saturating_mul(LOOKING_SHARE) / 1000;
            state.primary.put_off_reconciling(now.saturating_add(pause));
        }
    }
}

/// Different in every process; the standard library's hash maps know how to get it.
pub(super) fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}
