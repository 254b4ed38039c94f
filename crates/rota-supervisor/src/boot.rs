//! From the keeper's first message to a daemon that serves, and its orderly end.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rota_api::StartRequest;
use rota_config::AppSpec;
use rota_keeper::protocol::FromKeeper;
use rota_sys::signal::Signal;
use tokio::sync::mpsc;

use crate::checkpoint::{self, Saved};
use crate::dispatch::Dispatcher;
use crate::home::Home;
use crate::keeper::KeeperLink;
use crate::output::{self, LogHub, LogOptions, LogTrouble, Terminal};
use crate::run::Options;
use crate::supervisor::{Parts, Supervisor};

/// How many notices of programs may wait to be dealt with.
const NOTICES: usize = 256;

/// How long answers to the last callers may take to get out.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Why a supervisor cannot do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BootError {
    /// Something that every supervisor needs.
    #[error("cannot {what}")]
    Io {
        what: &'static str,
        source: io::Error,
    },
    /// The keeper ended before it had handed everything back.
    #[error("the keeper has gone")]
    KeeperGone,
    /// There is nothing to listen on.
    #[error("the keeper has handed over no API socket")]
    NoApiSocket,
}

/// What the keeper hands back to a new supervisor.
#[derive(Default)]
struct Handover {
    keeper_pid: u32,
    restarts: u32,
    api: Option<OwnedFd>,
    boot: Option<Vec<u8>>,
    apps: Vec<Saved>,
    /// Entries that belong to processes of an earlier supervisor.
    stale: Vec<String>,
    /// Its workers that are still alive, and those whose end nobody has dealt with.
    alive: Vec<u64>,
    ended: Vec<u64>,
    complaints: Vec<String>,
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> BootError {
    move |source| BootError::Io { what, source }
}

/// Runs the supervisor until the daemon ends.
///
/// # Errors
/// When it cannot begin, or the keeper has gone.
pub(crate) async fn run(options: Options) -> Result<u8, BootError> {
    let keeper = KeeperLink::new(options.keeper_fd).map_err(io_error("reach the keeper"))?;
    let mut handover = receive(&keeper).await?;
    let api = handover.api.take().ok_or(BootError::NoApiSocket)?;
    end_leftovers(&keeper, &mut handover).await?;

    let (dispatched, mut from_dispatcher) = mpsc::unbounded_channel();
    let dispatcher = Dispatcher::start(move |event| {
        // Fails when the supervisor is ending.
        let _ = dispatched.send(event);
    })
    .map_err(io_error("start the dispatcher"))?;
    let (notices, mut from_programs) = mpsc::channel(NOTICES);
    let home = Home::new(options.home);
    let logs = log_hub(&home, options.foreground)?;
    let supervisor = Supervisor::new(Parts {
        home,
        foreground: options.foreground,
        keeper_pid: handover.keeper_pid,
        keeper,
        dispatcher,
        logs,
        notices,
    });
    begin(&supervisor, handover);
    let keeper_gone = Rc::new(Cell::new(false));
    spawn_tasks(&supervisor, api, &keeper_gone);
    loop {
        tokio::select! {
            Some(event) = from_dispatcher.recv() => supervisor.on_dispatch(event),
            Some((worker, notice)) = from_programs.recv() => {
                supervisor.on_notification(worker, notice);
            }
            code = supervisor.ended() => {
                finish(&supervisor, code).await;
                return if keeper_gone.get() { Err(BootError::KeeperGone) } else { Ok(code) };
            }
        }
    }
}

/// Takes what the keeper hands back.
async fn receive(keeper: &KeeperLink) -> Result<Handover, BootError> {
    let mut handover = Handover::default();
    loop {
        let (message, mut fds) = next(keeper).await?;
        match message {
            FromKeeper::Hello(hello) => {
                handover.keeper_pid = hello.keeper_pid;
                handover.restarts = hello.restarts;
            }
            FromKeeper::Entry { key, blob } => match key.split('/').next() {
                Some("api") => handover.api = fds.pop(),
                Some("boot") => handover.boot = Some(blob),
                Some("app") => match checkpoint::read(&blob) {
                    Ok(saved) => handover.apps.push(saved),
                    Err(why) => handover
                        .complaints
                        .push(format!("the entry {key} cannot be taken over: {why}")),
                },
                _ => handover.stale.push(key),
            },
            FromKeeper::Child { child, exited, .. } => match exited {
                None => handover.alive.push(child),
                Some(_) => handover.ended.push(child),
            },
            FromKeeper::Restored => return Ok(handover),
            // Signals, and exits that were on their way: children are asked about below.
            _ => {}
        }
    }
}

/// Ends the workers of a supervisor that died, and forgets what belonged to them.
async fn end_leftovers(keeper: &KeeperLink, handover: &mut Handover) -> Result<(), BootError> {
    for worker in &handover.alive {
        keeper.signal_group(*worker, Signal::KILL.number());
    }
    let mut left: std::collections::HashSet<u64> = handover.alive.iter().copied().collect();
    while !left.is_empty() {
        if let (FromKeeper::Exited { child, .. }, _) = next(keeper).await? {
            left.remove(&child);
        }
    }
    for worker in handover.alive.drain(..).chain(handover.ended.drain(..)) {
        keeper.forget(worker);
    }
    for key in handover.stale.drain(..) {
        keeper.drop_entry(&key);
    }
    Ok(())
}

async fn next(keeper: &KeeperLink) -> Result<(FromKeeper, Vec<OwnedFd>), BootError> {
    keeper
        .recv()
        .await
        .map_err(io_error("hear the keeper"))?
        .ok_or(BootError::KeeperGone)
}

fn log_hub(home: &Home, foreground: bool) -> Result<LogHub, BootError> {
    let terminal = if foreground {
        Some(Terminal::stdio().map_err(io_error("use the terminal"))?)
    } else {
        None
    };
    LogHub::start(LogOptions {
        dir: home.logs(),
        terminal,
        on_trouble: Box::new(|trouble| match trouble {
            LogTrouble::Failing { path, error } => output::tell(&format!(
                "rota: {} cannot be written: {error}; output is being lost, the apps go on",
                path.display()
            )),
            LogTrouble::Recovered { lost_lines } => {
                output::tell(&format!(
                    "rota: log files can be written again, {lost_lines} lines were lost"
                ));
            }
        }),
    })
    .map_err(io_error("start the log writer"))
}

/// The apps of an earlier supervisor, or those of `rota run`.
fn begin(supervisor: &Rc<Supervisor>, handover: Handover) {
    for complaint in &handover.complaints {
        supervisor.say(complaint);
    }
    if handover.restarts > 0 {
        supervisor.say("the supervisor has died and was started again");
    }
    if !handover.apps.is_empty() {
        supervisor.restore(handover.apps);
        return;
    }
    let Some(boot) = handover.boot else { return };
    let request = match serde_json::from_slice::<StartRequest<AppSpec>>(&boot) {
        Ok(request) => request,
        Err(error) => {
            supervisor.say(&format!("the start request is not understood: {error}"));
            supervisor.end(1);
            return;
        }
    };
    let workers = request
        .apps
        .iter()
        .map(|app| app.instances.count(supervisor.cpus));
    if workers.sum::<u32>() > 1 {
        supervisor.logs.name_workers();
    }
    if let Err(error) = supervisor.start(request, None) {
        supervisor.say(&format!("error: {error}"));
        if let Some(hint) = &error.hint {
            supervisor.say(hint);
        }
        supervisor.end(error.code.exit_code() as u8);
    }
}

fn spawn_tasks(supervisor: &Rc<Supervisor>, api: OwnedFd, keeper_gone: &Rc<Cell<bool>>) {
    let this = Rc::clone(supervisor);
    tokio::task::spawn_local(async move { this.keep_time().await });
    let this = Rc::clone(supervisor);
    tokio::task::spawn_local(async move { this.keep_pulse().await });
    let this = Rc::clone(supervisor);
    tokio::task::spawn_local(async move {
        if let Err(error) = crate::api::serve(Rc::clone(&this), api).await {
            this.say(&format!("the API cannot be served: {error}"));
        }
    });
    let this = Rc::clone(supervisor);
    tokio::task::spawn_local(async move {
        if let Err(error) = this.keeper.flush().await {
            this.say(&format!("cannot send to the keeper: {error}"));
        }
    });
    let this = Rc::clone(supervisor);
    let gone = Rc::clone(keeper_gone);
    tokio::task::spawn_local(async move {
        loop {
            match this.keeper.recv().await {
                Ok(Some((message, _))) => this.on_keeper(message),
                Ok(None) => break,
                // Descriptors were lost: none of the messages from here on carries any.
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {}
                Err(error) => {
                    this.say(&format!("cannot hear the keeper: {error}"));
                    break;
                }
            }
        }
        gone.set(true);
        this.say("the keeper has gone: ending");
        this.end(1);
    });
}

/// The last acts: answers that are under way, output that has been read, the socket's path.
async fn finish(supervisor: &Rc<Supervisor>, code: u8) {
    // Ends those who follow the logs as well.
    supervisor.logs.close().await;
    let _ = tokio::time::timeout(LAST_ANSWERS, supervisor.api_connections.none_left()).await;
    // The path may be gone, or the folder.
    let _ = std::fs::remove_file(supervisor.home.api_socket());
    supervisor.keeper.exit(code);
}
