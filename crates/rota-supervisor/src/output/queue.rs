//! A queue from the supervisor's thread to a writing thread, bounded in bytes.
//!
//! The bound is a request to the sender, which asks for room *before* it reads a pipe. So a full
//! queue exceeds the bound by one read at most, and orders without bytes always fit.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// One order and its weight in bytes.
struct Entry<J> {
    bytes: usize,
    job: J,
}

struct State<J> {
    entries: VecDeque<Entry<J>>,
    /// Bytes that wait, those in the writer's hands included.
    bytes: usize,
    /// How often the writer has finished something.
    progress: u64,
    closed: bool,
}

/// See the module.
pub(super) struct Queue<J> {
    limit: usize,
    state: Mutex<State<J>>,
    work: Condvar,
    room: Notify,
    idle: Notify,
}

impl<J> Queue<J> {
    /// A queue that has room while less than `limit` bytes wait.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::new(State {
                entries: VecDeque::new(),
                bytes: 0,
                progress: 0,
                closed: false,
            }),
            work: Condvar::new(),
            room: Notify::new(),
            idle: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        // Nothing panics while it holds the lock; a poisoned one would still hold whole values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an order. False, and the order dropped, when the queue is closed.
    pub fn push(&self, bytes: usize, job: J) -> bool {
        let mut state = self.state();
        if state.closed {
            return false;
        }
        state.bytes += bytes;
        state.entries.push_back(Entry { bytes, job });
        drop(state);
        self.work.notify_one();
        true
    }

    /// Is there room for more? A closed queue has: nothing is worth waiting for.
    pub fn has_room(&self) -> bool {
        let state = self.state();
        state.bytes < self.limit || state.closed
    }

    /// How often the writer has finished something: stands still while it is blocked.
    pub fn progress(&self) -> u64 {
        self.state().progress
    }

    /// Waits until there is room.
    pub async fn room(&self) {
        loop {
            let mut freed = std::pin::pin!(self.room.notified());
            // Registered before the look, so that no room is missed between the two.
            freed.as_mut().enable();
            if self.has_room() {
                return;
            }
            freed.await;
        }
    }

    /// Has everything been carried out?
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        state.entries.is_empty() && state.bytes == 0
    }

    /// Waits until everything has been carried out.
    pub async fn idle(&self) {
        loop {
            let mut idle = std::pin::pin!(self.idle.notified());
            idle.as_mut().enable();
            if self.is_idle() {
                return;
            }
            idle.await;
        }
    }

    /// The writer's side: waits for the next order. `None` when the queue is closed and empty.
    pub fn next(&self) -> Option<(usize, J)> {
        let mut state = self.state();
        loop {
            if let Some(entry) = state.entries.pop_front() {
                return Some((entry.bytes, entry.job));
            }
            if state.closed {
                return None;
            }
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The writer's side: an order of so many bytes is done with.
    pub fn done(&self, bytes: usize) {
        let mut state = self.state();
        let had_room = state.bytes < self.limit;
        state.bytes -= bytes;
        state.progress += 1;
        let has_room = state.bytes < self.limit;
        let idle = state.bytes == 0 && state.entries.is_empty();
        drop(state);
        if idle {
            self.idle.notify_waiters();
        }
        if has_room && !had_room {
            self.room.notify_waiters();
        }
    }

    /// No more orders; those that wait are still carried out.
    pub fn close(&self) {
        self.state().closed = true;
        self.work.notify_all();
        self.room.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn orders_come_out_in_order_until_it_is_closed_and_empty() {
        let queue = Queue::new(10);
        assert!(queue.push(1, 'a'));
        assert!(queue.push(0, 'b'));
        queue.close();
        assert!(!queue.push(1, 'c'));
        assert_eq!(queue.next(), Some((1, 'a')));
        assert_eq!(queue.next(), Some((0, 'b')));
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn room_is_counted_until_an_order_is_done() {
        let queue = Queue::new(10);
        queue.push(10, ());
        assert!(!queue.has_room());
        assert!(queue.next().is_some());
        assert!(!queue.has_room());
        queue.done(10);
        assert!(queue.has_room());
        assert_eq!(queue.progress(), 1);
    }

    #[tokio::test]
    async fn a_waiting_sender_is_woken_by_the_other_thread() {
        let queue = Arc::new(Queue::new(1));
        for _ in 0..100 {
            queue.push(1, ());
            let writer = std::thread::spawn({
                let queue = Arc::clone(&queue);
                move || {
                    queue.next();
                    queue.done(1);
                }
            });
            queue.room().await;
            writer.join().unwrap();
        }
    }

    #[tokio::test]
    async fn closing_ends_the_wait() {
        let queue = Queue::new(1);
        queue.push(5, ());
        let (_, ()) = tokio::join!(queue.room(), async { queue.close() });
    }
}
