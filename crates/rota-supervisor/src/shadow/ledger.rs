//! Which descriptors are connections that nobody else has, in memory shared with the shadow.
//!
//! The writer may die between any two instructions, and the shadow then reads what it has stored up to there:
//! stores of a dead process are never lost, for they are in memory that lives on. So all that matters is their
//! order. Each is a `Release` store, which neither the compiler nor the processor moves ahead of an earlier one
//! (on x86-64 it is a plain `mov`). An entry's first word says what the others mean:
//!
//! - `held` empties the first word, writes the socket, and writes the first word;
//! - `sending` makes the entry a held one, writes worker and number, which then mean nothing, and writes the
//!   first word;
//! - `sent`, `back` and `clear` write the first word alone.
//!
//! So whatever the first word says, the words that it speaks of are there. An entry that says something
//! impossible is taken for empty.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rota_sys::shared;

/// Descriptors from this number on have no place in a ledger, and are not protected. The memory of an entry is
/// used only when a descriptor of its number is.
pub const CAPACITY: usize = 65_536;

/// Words before the first entry: one cache line.
const HEAD: usize = 8;
/// Words of an entry: state and app, socket, worker, number.
const WORDS: usize = 4;

/// In the head: not 0 once the supervisor has said that it ends by its own decision.
const FAREWELL: usize = 0;
/// In the head: one more than the highest number that ever had an entry.
const TOP: usize = 1;
/// In the head: the app that is being accepted for, with [`HELD`]; 0 if none is.
const ACCEPTING: usize = 2;
/// In the head: the listening socket's number and descriptor, for [`ACCEPTING`].
const ACCEPTING_SOCKET: usize = 3;
const ACCEPTING_FD: usize = 4;

/// States, in the upper half of the first word. The lower half is the app.
const EMPTY: u64 = 0;
const HELD: u64 = 1;
const SENDING: u64 = 2;
const SENT: u64 = 3;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Nobody has been sent it.
    Held {
        /// The app.
        app: u32,
        /// The listening socket that it was accepted from.
        socket: u64,
    },
    /// It was about to be sent, or has just been sent: the worker may have it.
    Sending {
        /// The app.
        app: u32,
        /// The listening socket that it was accepted from.
        socket: u64,
        /// The worker.
        worker: u64,
        /// The number of the message that carries it.
        seq: u64,
    },
    /// It is in the worker's channel, or beyond. The worker has not acknowledged it.
    Sent {
        /// The app.
        app: u32,
        /// The listening socket that it was accepted from.
        socket: u64,
        /// The worker.
        worker: u64,
        /// The number of the message that carries it.
        seq: u64,
    },
}

impl Entry {
    /// The app, the listening socket, and the worker with the number of the message, where there is one.
    #[must_use]
    pub const fn parts(&self) -> (u32, u64, Option<(u64, u64)>) {
        match *self {
            Self::Held { app, socket } => (app, socket, None),
            Self::Sending {
                app,
                socket,
                worker,
                seq,
            }
            | Self::Sent {
                app,
                socket,
                worker,
                seq,
            } => (app, socket, Some((worker, seq))),
        }
    }
}

/// The socket that somebody was accepting from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Intent {
    pub(super) app: u32,
    pub(super) socket: u64,
    /// Its descriptor.
    pub(super) listening: RawFd,
}

/// The table, for those who write it and those who read it. A copy is the same table.
#[derive(Debug, Clone, Copy)]
pub struct Ledger {
    words: &'static [AtomicU64],
}

impl Default for Ledger {
    fn default() -> Self {
        Self::none()
    }
}

impl Ledger {
    /// An empty one: 2 MiB of address space, of which a page is used at first. It stays for the life of the process.
    ///
    /// # Errors
    /// When there is no memory.
    pub fn new() -> io::Result<Self> {
        let words = shared::words(HEAD + CAPACITY * WORDS)?;
        Ok(Self { words })
    }

    /// One without places: nothing is protected, and nothing is to be told apart by those who use it.
    #[must_use]
    pub const fn none() -> Self {
        Self { words: &[] }
    }

    /// This descriptor is a connection that nobody has been sent. `socket` names the listening socket for the next
    /// supervisor.
    #[inline]
    pub fn held(&self, fd: RawFd, app: u32, socket: u64) {
        if let Some(entry) = self.place(fd) {
            self.raise_top(fd);
            entry[0].store(EMPTY, Ordering::Release);
            entry[1].store(socket, Ordering::Release);
            entry[0].store(first(HELD, app), Ordering::Release);
        }
    }

    /// It is about to be sent to a worker, in the message of that number.
    #[inline]
    pub fn sending(&self, fd: RawFd, worker: u64, seq: u64) {
        if let Some(entry) = self.place(fd) {
            change(entry, HELD);
            entry[2].store(worker, Ordering::Release);
            entry[3].store(seq, Ordering::Release);
            change(entry, SENDING);
        }
    }

    /// The worker's channel has taken the message of which `sending` spoke.
    #[inline]
    pub fn sent(&self, fd: RawFd) {
        if let Some(entry) = self.place(fd) {
            change(entry, SENT);
        }
    }

    /// It was not sent after all, or the worker has refused it: it is held again.
    #[inline]
    pub fn back(&self, fd: RawFd) {
        if let Some(entry) = self.place(fd) {
            change(entry, HELD);
        }
    }

    /// It is not to be rescued any more: the worker has acknowledged it, or it is about to be closed.
    #[inline]
    pub fn clear(&self, fd: RawFd) {
        if let Some(entry) = self.place(fd) {
            entry[0].store(EMPTY, Ordering::Release);
        }
    }

    /// The supervisor ends by its own decision: nothing is to be rescued when it is gone.
    pub fn farewell(&self) {
        if let Some(word) = self.words.get(FAREWELL) {
            word.store(1, Ordering::Release);
        }
    }

    /// What a descriptor's entry says.
    #[must_use]
    pub fn get(&self, fd: RawFd) -> Option<Entry> {
        let entry = self.place(fd)?;
        let word = entry[0].load(Ordering::Acquire);
        let app = u32::try_from(word & u64::from(u32::MAX)).ok()?;
        let socket = entry[1].load(Ordering::Acquire);
        let worker = entry[2].load(Ordering::Acquire);
        let seq = entry[3].load(Ordering::Acquire);
        match word >> 32 {
            HELD => Some(Entry::Held { app, socket }),
            SENDING => Some(Entry::Sending {
                app,
                socket,
                worker,
                seq,
            }),
            SENT => Some(Entry::Sent {
                app,
                socket,
                worker,
                seq,
            }),
            _ => None,
        }
    }

    /// All entries, with their descriptors.
    pub fn entries(&self) -> impl Iterator<Item = (RawFd, Entry)> + '_ {
        let top = self
            .words
            .get(TOP)
            .map_or(0, |top| top.load(Ordering::Acquire));
        let top = RawFd::try_from(top).unwrap_or(RawFd::MAX);
        let numbers = 0..top.min(CAPACITY as RawFd);
        numbers.filter_map(|fd| Some((fd, self.get(fd)?)))
    }

    /// Enters a connection that an earlier supervisor had, as it had it.
    pub(super) fn restore(&self, fd: RawFd, entry: Entry) {
        let (app, socket, message) = entry.parts();
        self.held(fd, app, socket);
        if let Some((worker, seq)) = message {
            self.sending(fd, worker, seq);
        }
        if matches!(entry, Entry::Sent { .. }) {
            self.sent(fd);
        }
    }

    /// Somebody is about to accept from this socket.
    #[inline]
    pub(super) fn begin_to_accept(&self, listening: impl AsFd, app: u32, socket: u64) {
        if let Some(head) = self.words.first_chunk::<HEAD>() {
            let listening = u64::from(listening.as_fd().as_raw_fd().unsigned_abs());
            head[ACCEPTING_SOCKET].store(socket, Ordering::Release);
            head[ACCEPTING_FD].store(listening, Ordering::Release);
            head[ACCEPTING].store(first(HELD, app), Ordering::Release);
        }
    }

    /// What was accepted has been entered, or there was nobody.
    #[inline]
    pub(super) fn end_to_accept(&self) {
        if let Some(word) = self.words.get(ACCEPTING) {
            word.store(EMPTY, Ordering::Release);
        }
    }

    /// The socket that somebody is accepting from.
    pub(super) fn accepting(&self) -> Option<Intent> {
        let head = self.words.first_chunk::<HEAD>()?;
        let word = head[ACCEPTING].load(Ordering::Acquire);
        (word >> 32 == HELD).then_some(())?;
        Some(Intent {
            app: u32::try_from(word & u64::from(u32::MAX)).ok()?,
            socket: head[ACCEPTING_SOCKET].load(Ordering::Acquire),
            listening: RawFd::try_from(head[ACCEPTING_FD].load(Ordering::Acquire)).ok()?,
        })
    }

    /// Writes words as they come, from the first one on: whatever a supervisor may have died over.
    #[cfg(fuzzing)]
    #[allow(dead_code, reason = "called in fuzz/ only")]
    pub(super) fn overwrite(&self, words: impl Iterator<Item = u64>) {
        for (word, value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Release);
        }
    }

    pub(super) fn has_said_farewell(&self) -> bool {
        let word = self.words.get(FAREWELL);
        word.is_some_and(|word| word.load(Ordering::Acquire) != 0)
    }

    #[inline]
    fn place(&self, fd: RawFd) -> Option<&[AtomicU64; WORDS]> {
        let number = usize::try_from(fd).ok().filter(|n| *n < CAPACITY)?;
        self.words.get(HEAD + number * WORDS..)?.first_chunk()
    }

    #[inline]
    fn raise_top(&self, fd: RawFd) {
        let above = u64::from(fd.unsigned_abs()) + 1;
        if let Some(top) = self.words.get(TOP)
            && top.load(Ordering::Relaxed) < above
        {
            top.fetch_max(above, Ordering::Release);
        }
    }
}

const fn first(state: u64, app: u32) -> u64 {
    (state << 32) | app as u64
}

/// Another state, of the same app. One that is empty stays so.
#[inline]
fn change(entry: &[AtomicU64; WORDS], state: u64) {
    let word = entry[0].load(Ordering::Relaxed);
    if word != EMPTY {
        let app = word & u64::from(u32::MAX);
        entry[0].store((state << 32) | app, Ordering::Release);
    }
}
