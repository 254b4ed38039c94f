//! Where a worker's JavaScript is, by way of the inspector.
//!
//! SIGUSR1 makes Node open its inspector on a thread of its own, even while JavaScript runs for ever; a pause
//! then shows where. Native code is another matter: while Node is in the middle of `JSON.parse`, a sort, or a
//! system call, it does not even open the inspector, and what can be said comes from `/proc`.

mod open;
mod reasons;
mod session;
mod stacks;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rota_node::agent::ToAgent;
use rota_sys::waits;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout, timeout_at};

use crate::output::{InspectorWatch, Opened};
use crate::supervisor::Supervisor;

/// How long the next look waits for an inspector to close.
const CLOSING: Duration = Duration::from_millis(500);
/// What a look keeps of its limit, so that its answer is there within it.
const MARGIN: Duration = Duration::from_millis(50);
/// How long the last lines about a closed inspector may take to come through the pipe.
const LAST_LINES: Duration = Duration::from_secs(1);

/// One worker's inspector.
#[derive(Default)]
pub(crate) struct Inspect {
    /// Only one look at a time: two pauses would disturb each other.
    turn: Arc<Mutex<()>>,
}

/// What a look at a worker's JavaScript has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Where it is, innermost first.
    Stack(Vec<String>),
    /// Nowhere: the event loop waits for something to do.
    Idle,
}

/// What is needed to look.
struct Target {
    pid: u32,
    watch: Rc<InspectorWatch>,
    /// The app handles SIGUSR1 itself.
    usr1: bool,
    /// The agent's file, whose functions are not the app's.
    agent: String,
}

impl Supervisor {
    /// The JavaScript stack of a worker, hung or not, as lines for people (`spinForever (/srv/app.js:37:5)`), innermost first.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(crate) async fn capture_stack(
        self: &Rc<Self>,
        worker: u64,
        limit: Duration,
    ) -> Result<Vec<String>, String> {
        match self.look_at(worker, limit).await? {
            Seen::Stack(lines) => Ok(lines),
            Seen::Idle => Err("no JavaScript is running: its event loop waits".to_owned()),
        }
    }

    /// What a worker's JavaScript is doing at the moment.
    ///
    /// # Errors
    /// Why that cannot be seen, for people.
    pub(crate) async fn look_at(
        self: &Rc<Self>,
        worker: u64,
        limit: Duration,
    ) -> Result<Seen, String> {
        let end = Instant::now() + limit.saturating_sub(MARGIN);
        let held = self.with(|state| {
            let worker = state.workers.get(&worker)?;
            Some(worker.agent.profiling.holds())
        });
        if held == Some(true) {
            return Err("it is writing a heap snapshot".to_owned());
        }
        let Ok(turn) = timeout_at(end, self.inspector_turn(worker)).await else {
            return Err("somebody else is looking at it".to_owned());
        };
        let turn = turn.ok_or("it has ended")?;
        let target = self.target(worker)?;
        let before = waits::look(target.pid).map_err(|_| "it has ended")?;
        let begun = Instant::now();
        let seen = timeout_at(end, self.look_inside(worker, &target)).await;
        if target.watch.is_hidden() {
            self.close_inspector(worker, &target.watch, turn);
        }
        seen.unwrap_or_else(|_| Err(reasons::explain(&target, &before, begun.elapsed())))
    }

    /// Nobody else uses the worker's inspector for as long as this is held. Waits for those who do. `None`: the
    /// worker has ended.
    pub(crate) async fn inspector_turn(&self, worker: u64) -> Option<OwnedMutexGuard<()>> {
        let turn = self.with(|state| {
            let worker = state.workers.get(&worker)?;
            Some(Arc::clone(&worker.agent.inspect.turn))
        });
        Some(turn?.lock_owned().await)
    }

    /// Closes an inspector that we have opened. The next look waits for that, so that it does not find an inspector
    /// that is about to close; a worker that hangs leaves it open.
    fn close_inspector(&self, worker: u64, watch: &Rc<InspectorWatch>, turn: OwnedMutexGuard<()>) {
        let mut opened = watch.opened();
        self.tell_agent(worker, &ToAgent::Inspector { open: false });
        tokio::task::spawn_local(async move {
            let closed = opened.wait_for(|opened| *opened == Opened::Unknown);
            // Fails when the worker is gone, and its inspector with it.
            let _ = timeout(CLOSING, closed).await;
            drop(turn);
        });
    }

    /// The supervisor before us may have opened the worker's inspector to see its stack, and has not lived to close it.
    pub(crate) fn disown_inspector(&self, worker: u64) {
        if let Some(watch) = self.logs.inspector(worker) {
            watch.hide();
        }
        self.tell_agent(worker, &ToAgent::Inspector { open: false });
    }

    fn target(&self, worker: u64) -> Result<Target, String> {
        let watch = self.logs.inspector(worker);
        let agent = self.agent_file.as_ref().map(|file| file.text());
        self.with(|state| {
            let entry = state.workers.get(&worker).ok_or("it has ended")?;
            let pid = entry.pid.ok_or("its process does not exist yet")?;
            let hello = entry.agent.hello.as_ref();
            let hello = hello.ok_or("it runs without rota's agent")?;
            if hello.pid != pid {
                return Err(format!(
                    "its JavaScript runs in process {}, which rota did not start itself",
                    hello.pid
                ));
            }
            Ok(Target {
                pid,
                watch: watch.ok_or("its output is not read")?,
                usr1: entry.agent.inside.last.usr1,
                agent: agent.unwrap_or_default(),
            })
        })
    }

    async fn look_inside(&self, worker: u64, target: &Target) -> Result<Seen, String> {
        let known = target.watch.address();
        let address = self.open_inspector(worker, target).await?;
        let mut seen = session::look(&address, &target.agent).await;
        if known.is_some() && seen.is_err() {
            // It has been closed since.
            target.watch.set(None);
            let address = self.open_inspector(worker, target).await?;
            seen = session::look(&address, &target.agent).await;
        }
        seen.map_err(|error| {
            target.watch.set(None);
            format!("its inspector at {}: {error}", address.socket)
        })
    }

    /// A worker's agent says where the inspector listens, or that it is closed.
    pub(crate) fn inspector_said(&self, worker: u64, url: Option<&str>) {
        let Some(watch) = self.logs.inspector(worker) else {
            return;
        };
        match url {
            Some(url) => watch.set(rota_node::inspector::Address::parse(url)),
            None if watch.is_hidden() => watch.show_after(LAST_LINES),
            None => watch.set(None),
        }
    }

    /// A worker need not answer: somebody debugs it (its inspector is open, and not by us), or it writes a heap
    /// snapshot.
    pub(crate) fn is_debugged(&self, worker: u64) -> bool {
        let watch = self.logs.inspector(worker);
        let ours = watch.as_ref().is_some_and(|watch| watch.is_hidden());
        let told = watch.is_some_and(|watch| matches!(*watch.opened().borrow(), Opened::At(_)));
        let known = self.with(|state| {
            let agent = &state.workers.get(&worker)?.agent;
            Some((agent.inside.last.inspector, agent.profiling.holds()))
        });
        let (open, holds) = known.unwrap_or_default();
        holds || (!ours && (told || open))
    }
}
