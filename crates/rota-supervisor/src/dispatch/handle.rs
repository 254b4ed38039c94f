//! The handle through which the rest of the supervisor talks to the dispatcher's thread.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};

use super::found::{self, FoundOpen};
use super::keep::Keep;
use super::restore::{Adopted, Restored};
use super::shell;
use super::types::{DispatchCommand, DispatchEvent};

/// The dispatcher's thread, as seen from outside. Dropping it ends the thread, too, without waiting.
#[derive(Debug)]
pub struct Dispatcher {
    orders: Option<Sender<Order>>,
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Dispatcher {
    /// Starts the thread, with what is left of an earlier one. `events` is called on the thread and must not block.
    /// `keep` is told what has to be there for the next one.
    ///
    /// When this returns, listeners accept and workers are heard again.
    ///
    /// # Errors
    /// When no event descriptor, epoll instance or thread can be had.
    pub fn start(
        events: impl Fn(DispatchEvent) + Send + 'static,
        keep: Box<dyn Keep>,
        restored: Restored,
    ) -> io::Result<(Self, Adopted)> {
        let bell = Arc::new(Bell::new()?);
        let (orders, inbox) = mpsc::channel();
        let inbox = Inbox::new(inbox, Arc::clone(&bell));
        let mut shell = shell::Shell::new(inbox, Box::new(events), keep)?;
        let adopted = shell.adopt(restored);
        let questions = shell.questions(&adopted);
        let thread = std::thread::Builder::new()
            .name("dispatch".to_owned())
            .stack_size(512 * 1024)
            .spawn(move || shell.run())?;
        let dispatcher = Self {
            orders: Some(orders),
            bell,
            thread: Some(thread),
        };
        dispatcher.find_open(questions);
        Ok((dispatcher, adopted))
    }

    /// Looks up which connections workers have had all along, beside everything else.
    fn find_open(&self, questions: found::Questions) {
        let Some(orders) = self.orders.clone().filter(|_| !questions.is_empty()) else {
            return;
        };
        let bell = Arc::clone(&self.bell);
        // Without it nobody is counted as having connections: newcomers get their even share all the same.
        let _ = std::thread::Builder::new()
            .name("count".to_owned())
            .stack_size(512 * 1024)
            .spawn(move || {
                // Fails when the dispatcher is ending.
                let _ = orders.send(Order::Found(questions.ask()));
                drop(orders);
                bell.ring();
            });
    }

    /// Queues an order; they are carried out in this order.
    pub fn send(&self, command: DispatchCommand) {
        if let Some(orders) = &self.orders {
            // Fails only when the thread is gone, and then there is nothing left to order.
            let _ = orders.send(Order::Command(command));
            self.bell.ring();
        }
    }

    /// Ends the thread and waits for it. Every descriptor that it owns is closed; sockets of which
    /// somebody else keeps a duplicate go on listening.
    pub fn shutdown(mut self) {
        self.hang_up();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by the panic hook.
            let _ = thread.join();
        }
    }

    fn hang_up(&mut self) {
        self.orders = None;
        self.bell.ring();
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// Wakes the thread out of `epoll_wait`; rings at most once until it is heard.
#[derive(Debug)]
struct Bell {
    event: OwnedFd,
    rung: AtomicBool,
}

impl Bell {
    fn new() -> io::Result<Self> {
        Ok(Self {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            rung: AtomicBool::new(false),
        })
    }

    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // Cannot fail: the counter is at most one.
            let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }

    /// To be called before the queue is looked at, so that a later ring is heard.
    fn silence(&self) {
        let mut counter = [0_u8; 8];
        let _ = rustix::io::read(&self.event, &mut counter);
        // A swap, not a store: it makes visible what was queued by those who found it rung already.
        self.rung.swap(false, Ordering::AcqRel);
    }
}

/// What the thread is told.
pub(super) enum Order {
    /// By the rest of the supervisor.
    Command(DispatchCommand),
    /// What was looked up for it.
    Found(Vec<FoundOpen>),
}

/// The thread's side of the handle.
pub(super) struct Inbox {
    queue: Receiver<Order>,
    bell: Arc<Bell>,
}

impl Inbox {
    fn new(queue: Receiver<Order>, bell: Arc<Bell>) -> Self {
        Self { queue, bell }
    }

    /// Readable when there is something in the queue or the handle is gone.
    pub(super) fn event(&self) -> &OwnedFd {
        &self.bell.event
    }

    /// To be called once before a series of [`Self::next`].
    pub(super) fn silence(&self) {
        self.bell.silence();
    }

    /// The next order; `Err` when the handle is gone.
    pub(super) fn next(&self) -> Result<Option<Order>, HandleGone> {
        match self.queue.try_recv() {
            Ok(order) => Ok(Some(order)),
            Err(mpsc::TryRecvError::Empty) => Ok(None),
            Err(mpsc::TryRecvError::Disconnected) => Err(HandleGone),
        }
    }
}

/// Nobody is left who could send orders.
pub(super) struct HandleGone;
