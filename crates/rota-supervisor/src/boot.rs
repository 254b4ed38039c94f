//! From the keeper's first message to a daemon that serves, and its orderly end.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use rota_api::StartRequest;
use rota_config::AppSpec;
use rota_config::file::Origins;
use rota_keeper::protocol::{FromKeeper, Hello};
use tokio::sync::mpsc;

use crate::dispatch::{Dispatcher, RestoredFacts};
use crate::estate::Estate;
use crate::events::exit_status;
use crate::foreground::Boot;
use crate::holding::Holding;
use crate::home::Home;
use crate::keeper::{DispatchKeep, KeeperLink};
use crate::operations::{Caller, Operations};
use crate::orders::Orders;
use crate::output::{self, LogHub, LogOptions, LogTrouble, Terminal};
use crate::precedence::Precedence;
use crate::protection::Protection;
use crate::record::Recorder;
use crate::run::Options;
use crate::saved::Left;
use crate::stored;
use crate::supervisor::{Parts, Supervisor};
use crate::words;

/// How many notices of programs may wait to be dealt with.
const NOTICES: usize = 256;

/// So long apps of a daemon before wait for a `start` that names them, unless another request comes.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

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
    /// The keeper's first message is missing.
    #[error("the keeper does not say who it is")]
    NoHello,
    /// There is nothing to listen on.
    #[error("the keeper has handed over no API socket")]
    NoApiSocket,
}

fn io_error(what: &'static str) -> impl FnOnce(io::Error) -> BootError {
    move |source| BootError::Io { what, source }
}

/// Runs the supervisor until the daemon ends.
///
/// # Errors
/// When it cannot begin, or the keeper has gone.
pub(crate) async fn run(options: Options, protection: Protection) -> Result<u8, BootError> {
    let precedence = Precedence::take();
    let keeper = KeeperLink::new(options.keeper_fd).map_err(io_error("reach the keeper"))?;
    let mut left = receive(&keeper).await?;
    let api = left.api.take().ok_or(BootError::NoApiSocket)?;
    let ledger = protection.ledger;
    let shadow = protection.shadow;
    let rescued = protection.begin(&keeper, &mut left);
    let (in_use, kept) = (stored::in_use(&left), std::mem::take(&mut left.stored));
    let (mut estate, mut restored) = Estate::of(&mut left);
    restored.ledger = ledger;
    restored.rescued = rescued.connections;

    let (dispatched, mut from_dispatcher) = mpsc::unbounded_channel();
    let second = keeper.second().map_err(io_error("reach the keeper"))?;
    let (dispatcher, adopted) = Dispatcher::start(
        move |event| {
            // Fails when the supervisor is ending.
            let _ = dispatched.send(event);
        },
        Box::new(DispatchKeep::new(second)),
        restored,
    )
    .map_err(io_error("start the dispatcher"))?;
    let (notices, mut from_programs) = mpsc::channel(NOTICES);
    let boot = left.boot.take().map(|blob| Boot::read(&blob));
    let run = boot.as_ref().map(|boot| boot.run.clone());
    let home = Home::new(options.home);
    let logs = log_hub(&home, options.foreground)?;
    let hello = left.hello.take();
    let hello = hello.ok_or(BootError::NoHello)?;
    let supervisor = Supervisor::new(Parts {
        home,
        foreground: options.foreground,
        run: run.unwrap_or_default(),
        keeper_pid: hello.keeper_pid,
        keeper_version: hello.version.clone(),
        keeps_sockets: hello.keeps_sockets,
        holding: Holding::new(hello.groups.as_deref().cloned()),
        keeper,
        dispatcher: Orders::new(dispatcher),
        logs,
        notices,
        record: Recorder::new(hello.mark.clone(), shadow),
        engine: estate.engine.take(),
        operations: left
            .operations
            .take()
            .map(Operations::restore)
            .unwrap_or_default(),
    });
    for complaint in &adopted.complaints {
        supervisor.say(complaint);
    }
    if !rescued.complete {
        supervisor.say("connections that were on their way to workers may have been lost");
    }
    supervisor.meet_survivors().await;
    supervisor.keep_stored(kept, &in_use);
    begin(&supervisor, &hello, estate, adopted.workers, boot);
    supervisor.begin_with_stored();
    supervisor.serve_health(left.health.take());
    supervisor.keeper.up();
    supervisor.tell_ready();
    let keeper_gone = Rc::new(Cell::new(false));
    spawn_tasks(&supervisor, api, &keeper_gone);
    precedence.end_soon();
    loop {
        tokio::select! {
            Some(event) = from_dispatcher.recv() => supervisor.on_dispatch(event),
            Some((worker, notice)) = from_programs.recv() => {
                supervisor.on_notification(worker, notice);
            }
            code = supervisor.ended() => {
                finish(&supervisor, code, keeper_gone.get()).await;
                ledger.farewell();
                return if keeper_gone.get() { Err(BootError::KeeperGone) } else { Ok(code) };
            }
        }
    }
}

/// Takes what the keeper hands back.
async fn receive(keeper: &KeeperLink) -> Result<Left, BootError> {
    let mut left = Left::default();
    loop {
        let (message, fds) = next(keeper).await?;
        if left.take(message, fds) {
            return Ok(left);
        }
    }
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
        journald: output::JOURNALD.into(),
        on_trouble: Box::new(|trouble| match trouble {
            LogTrouble::Failing { path, error } => output::tell(&format!(
                "rota: {} cannot be written: {error}; output is being lost, the apps go on",
                path.display()
            )),
            LogTrouble::Growing { path, error } => output::tell(&format!(
                "rota: {} cannot be put aside: {error}; it grows",
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

/// The apps of an earlier supervisor, those of `rota run`, or those that ran before `rota daemon`.
fn begin(
    supervisor: &Rc<Supervisor>,
    hello: &Hello,
    estate: Estate,
    heard: Vec<RestoredFacts>,
    boot: Option<Boot>,
) {
    // After an upgrade the end of the one before was meant.
    if hello.restarts > 0 && hello.upgrade.is_none() {
        tell_of_death(supervisor, hello, &estate);
    }
    let first = estate.apps.is_empty();
    if supervisor.foreground && estate.workers.len() > 1 {
        supervisor.logs.name_workers();
    }
    supervisor.take_over(estate, heard);
    supervisor.go_on_with_grace();
    supervisor.recover_known();
    if let Some(note) = &hello.upgrade {
        supervisor.upgraded(note);
    }
    if let Some(boot) = boot.filter(|_| first) {
        begin_with(supervisor, boot);
        supervisor.adopt_survivors();
    }
}

fn tell_of_death(supervisor: &Supervisor, hello: &Hello, estate: &Estate) {
    let how = hello.last_exit.map_or(String::new(), |exit| {
        format!(" ({})", words::exit(exit_status(exit.status)))
    });
    supervisor.say(&format!(
        "the supervisor has died{how} and was started again; {} workers go on, {} entries ({} KiB) were kept",
        estate.workers.len(),
        estate.entries,
        estate.bytes.div_ceil(1024)
    ));
    if estate.poisoned {
        supervisor.say(
            "supervisors have died again and again: what was under way is set aside, the workers are left as they are",
        );
    }
}

fn begin_with(supervisor: &Rc<Supervisor>, boot: Boot) {
    if boot.resurrect {
        supervisor.transact(|| supervisor.resurrect(Caller::default()));
    }
    match boot.start {
        Ok(Some(request)) => start_with(supervisor, request),
        Ok(None) => {}
        Err(error) => {
            supervisor.say(&format!("the start request is not understood: {error}"));
            supervisor.end(1);
        }
    }
}

/// Starts what `rota run` was called with.
fn start_with(supervisor: &Rc<Supervisor>, request: StartRequest<AppSpec, Origins>) {
    let workers = request
        .apps
        .iter()
        .map(|app| app.instances.count(supervisor.cpus));
    if workers.sum::<u32>() > 1 {
        supervisor.logs.name_workers();
    }
    let names: BTreeSet<String> = request
        .apps
        .iter()
        .map(|app| app.name.to_string())
        .collect();
    let namesakes = supervisor.with(|state| state.survivors.put_by(&names));
    let started = supervisor.start(request, Caller::default());
    supervisor.of_the_command_line(&names, namesakes);
    if let Err(error) = started {
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
    tokio::task::spawn_local(async move { this.keep_record().await });
    let this = Rc::clone(supervisor);
    tokio::task::spawn_local(async move {
        // Who has started the daemon probably has something to say about the apps.
        tokio::time::sleep(FIRST_REQUEST).await;
        this.adopt_survivors();
    });
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
/// If the keeper has gone, the home is not ours any more, and may be another daemon's already.
async fn finish(supervisor: &Rc<Supervisor>, code: u8, keeper_gone: bool) {
    supervisor.end_record(!keeper_gone).await;
    // Ends those who follow the logs as well.
    supervisor.logs.close().await;
    let _ = tokio::time::timeout(LAST_ANSWERS, supervisor.api_connections.none_left()).await;
    if !keeper_gone {
        // The path may be gone, or the folder.
        let _ = std::fs::remove_file(supervisor.home.api_socket());
    }
    supervisor.keeper.exit(code);
}
