//! Profiles: recorded by the agent into a file of ours, and handed to who asked for them.
//!
//! The file lies in a fresh folder in `ROTA_HOME`, since the worker knows neither the caller's folder nor may
//! write there. It has no name any more as soon as it is open here: nothing is left behind.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use hyper::body::Bytes;
use rota_api::{ApiError, ErrorCode, ProfileKind, ProfileRequest, ProfileSource, StackView};
use rota_node::agent::{self, ProfileEnd, ToAgent};
use tokio::sync::{mpsc, oneshot};

use crate::reach;
use crate::supervisor::Supervisor;

/// The longest CPU profile.
const LONGEST: Duration = Duration::from_secs(600);
/// How long a worker may take to write a profile beyond its duration.
const WRITING: Duration = Duration::from_secs(60);
/// How long a heap snapshot may take: some seconds for each gigabyte, and the disk's time.
const SNAPSHOT: Duration = Duration::from_secs(600);
/// How long it is looked which worker is the busiest.
const SAMPLE: Duration = Duration::from_millis(250);
/// How much is read at a time, and how many such pieces may wait for the caller.
const PIECE: usize = 64 * 1024;
const PIECES_MAX: usize = 4;

/// The profile of a worker that is being recorded.
#[derive(Debug, Default)]
pub(crate) struct Profiling {
    /// Numbers profiles.
    last: u64,
    /// Where its end is told.
    waiting: Option<oneshot::Sender<ProfileEnd>>,
    /// It holds the event loop for as long as it takes.
    holds: bool,
}

impl Profiling {
    /// Is one being recorded?
    pub(crate) fn is_running(&self) -> bool {
        self.waiting.is_some()
    }

    /// Does it keep the worker from answering?
    pub(crate) fn holds(&self) -> bool {
        self.is_running() && self.holds
    }
}

/// A profile, ready to be read.
pub(crate) struct Profile {
    /// Whose it is.
    pub(crate) source: ProfileSource,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// Its content.
    pub(crate) pieces: mpsc::Receiver<Bytes>,
}

/// A folder that is gone when this is.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left, the next supervisor's first profile removes.
        let _ = fs::remove_dir_all(&self.0);
        if let Some(all) = self.0.parent() {
            reach::tidy(all);
        }
    }
}

impl Supervisor {
    /// Records a profile.
    ///
    /// # Errors
    /// A target that means no worker, or a worker that cannot do it.
    pub(crate) async fn profile(
        self: &Rc<Self>,
        request: &ProfileRequest,
    ) -> Result<Profile, ApiError> {
        let duration = Duration::from_millis(request.duration_ms);
        if request.kind == ProfileKind::Cpu && (duration.is_zero() || duration > LONGEST) {
            let error = ApiError::new(ErrorCode::BadRequest, "a profile takes up to 10 minutes");
            return Err(error.with_hint("give a duration such as 10s"));
        }
        let (worker, source) = self.choose(&request.target).await?;
        let name = format!("{}:{}", source.app, source.slot);
        let failed = |why: String| ApiError::new(ErrorCode::Refused, format!("{name}: {why}"));
        let folder = self
            .profile_folder(worker)
            .map_err(|error| failed(format!("no folder for the profile can be made: {error}")))?;
        let path = folder.0.join(request.kind.extension());
        let (this, kind, written) = (Rc::clone(self), request.kind, path.clone());
        // A task, so that it comes to its end even if the caller goes away.
        let recording = tokio::task::spawn_local(async move {
            // A pause in the middle of a snapshot is more than V8 can be trusted with.
            let _turn = match kind {
                ProfileKind::Heap => this.inspector_turn(worker).await,
                ProfileKind::Cpu => None,
            };
            let recorded = this.record(worker, kind, duration, &written).await;
            this.update(worker, |w| w.agent.profiling.waiting = None);
            if kind == ProfileKind::Heap {
                this.shield(worker, false);
            }
            recorded.map(|()| folder)
        });
        let recorded = recording.await.map_err(|error| failed(error.to_string()))?;
        let folder = recorded.map_err(failed)?;
        let file =
            open(&path).map_err(|error| failed(format!("its profile cannot be read: {error}")))?;
        let length = file
            .metadata()
            .map_err(|error| failed(error.to_string()))?
            .len();
        drop(folder);
        Ok(Profile {
            source,
            length,
            pieces: read(file, length),
        })
    }

    /// The worker that a target means; of several the busiest.
    async fn choose(&self, target: &str) -> Result<(u64, ProfileSource), ApiError> {
        let meant = self.processes_of(&[target.to_owned()])?;
        if meant.is_empty() {
            let text = format!("no worker of {target} runs");
            return Err(
                ApiError::new(ErrorCode::Refused, text).with_hint("`rota list` shows what runs")
            );
        }
        let of = u32::try_from(meant.len()).unwrap_or(u32::MAX);
        let view = if of == 1 {
            meant.into_iter().next()
        } else {
            busiest(meant).await
        };
        let chosen = view.and_then(|view| {
            let pid = view.pid?;
            Some((
                view.worker,
                ProfileSource {
                    app: view.app,
                    slot: view.slot,
                    pid,
                    of,
                },
            ))
        });
        let (worker, source) = chosen
            .ok_or_else(|| ApiError::new(ErrorCode::Refused, format!("{target} has just ended")))?;
        self.may_profile(worker, &source)?;
        Ok((worker, source))
    }

    fn may_profile(&self, worker: u64, source: &ProfileSource) -> Result<(), ApiError> {
        let name = format!("{}:{}", source.app, source.slot);
        let refused = |why: &str, hint: &str| {
            Err(ApiError::new(ErrorCode::Refused, format!("{name} {why}")).with_hint(hint))
        };
        let known = self.with(|state| {
            let entry = state.workers.get(&worker)?;
            Some((
                entry.agent.hello.is_some(),
                entry.agent.profiling.is_running(),
            ))
        });
        match known {
            None => refused("has just ended", "`rota list` shows what runs"),
            Some((false, _)) => refused(
                "runs without rota's agent, which records profiles",
                "Node apps have it, unless they were started with --no-agent; a worker that starts has it a moment later",
            ),
            Some((_, true)) => refused("is being profiled already", "try again later"),
            Some((true, false)) => Ok(()),
        }
    }

    async fn record(
        self: &Rc<Self>,
        worker: u64,
        kind: ProfileKind,
        duration: Duration,
        path: &Path,
    ) -> Result<(), String> {
        let (ended, end) = oneshot::channel();
        let id = self.with(|state| {
            let profiling = &mut state.workers.get_mut(&worker)?.agent.profiling;
            profiling.last += 1;
            profiling.waiting = Some(ended);
            profiling.holds = kind == ProfileKind::Heap;
            Some(profiling.last)
        });
        let (kind, limit) = match kind {
            ProfileKind::Cpu => (agent::ProfileKind::Cpu, duration + WRITING),
            ProfileKind::Heap => {
                // It holds the event loop for as long as it takes.
                self.shield(worker, true);
                (agent::ProfileKind::Heap, SNAPSHOT)
            }
        };
        let order = ToAgent::Profile {
            id: id.ok_or("it has ended")?,
            kind,
            path: path.to_str().ok_or("ROTA_HOME is not UTF-8")?.to_owned(),
            duration: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        };
        self.tell_agent(worker, &order);
        match tokio::time::timeout(limit, end).await {
            Ok(Ok(ProfileEnd { error: None, .. })) => Ok(()),
            Ok(Ok(ProfileEnd {
                error: Some(why), ..
            })) => Err(why),
            // With the worker its end of the line is gone.
            Ok(Err(_)) => Err("it ended before its profile was written".to_owned()),
            Err(_) => Err("it has not written its profile in time".to_owned()),
        }
    }

    /// An agent has written a profile, or could not.
    pub(crate) fn profiled(&self, worker: u64, end: ProfileEnd) {
        let waiting = self.with(|state| {
            let profiling = &mut state.workers.get_mut(&worker)?.agent.profiling;
            // Another number: of one that nobody waits for any more.
            (profiling.last == end.id).then(|| profiling.waiting.take())?
        });
        if let Some(waiting) = waiting {
            // Fails when the caller has gone.
            let _ = waiting.send(end);
        }
    }

    /// A fresh folder that only this user can look into.
    fn profile_folder(&self, worker: u64) -> io::Result<Folder> {
        let person = self.with(|state| {
            let worker = state.workers.get(&worker)?;
            worker.prepared.person.clone()
        });
        let all = match &person {
            Some(_) => reach::profiles(self.keeper_pid)?,
            None => self.home.profiles(),
        };
        let running = self.with(|state| {
            let mut workers = state.workers.values();
            workers.any(|worker| worker.agent.profiling.is_running())
        });
        if !running {
            // Of a supervisor that died in the middle.
            empty(&all);
        }
        let path = all.join(format!("{}-{worker}", std::process::id()));
        DirBuilder::new().recursive(true).mode(0o700).create(&all)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        if let Some(person) = person {
            std::os::unix::fs::lchown(&path, Some(person.uid), Some(person.gid))?;
        }
        Ok(Folder(path))
    }
}

/// Removes what is in a folder.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let _ = fs::remove_dir_all(entry.path());
    }
}

/// The worker that used most processor time within a moment.
async fn busiest(meant: Vec<StackView>) -> Option<StackView> {
    let used = |view: &StackView| {
        let stat = rota_sys::procfs::stat(view.pid?).ok()?;
        Some(stat.user + stat.system)
    };
    let before: Vec<_> = meant.iter().map(used).collect();
    tokio::time::sleep(SAMPLE).await;
    let spent = |(view, before): (StackView, Option<Duration>)| {
        let spent = used(&view)?.saturating_sub(before?);
        Some((spent, view))
    };
    let all = meant.into_iter().zip(before).filter_map(spent);
    all.max_by_key(|(spent, _)| *spent).map(|(_, view)| view)
}

/// Opens what the worker wrote: a file, whatever it may have put there.
fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let mut options = fs::OpenOptions::new();
    options
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file"));
    }
    // A worker of another user might have made a second name for a file that only we may read.
    let folder = path.parent().map(fs::symlink_metadata).transpose()?;
    if folder.is_some_and(|folder| folder.uid() != metadata.uid()) {
        let text = "it belongs to somebody else";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    Ok(file)
}

/// Reads a file on a thread of its own, no faster than it is taken.
fn read(file: File, length: u64) -> mpsc::Receiver<Bytes> {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    let reading = move || {
        let mut file = file.take(length);
        let mut buffer = vec![0; PIECE];
        while let Ok(1..) = file.read(&mut buffer).map(|read| {
            let piece = Bytes::copy_from_slice(&buffer[..read]);
            if read > 0 && sender.blocking_send(piece).is_err() {
                return 0;
            }
            read
        }) {}
    };
    // Without a thread the answer ends too early, which the caller notices by its length.
    let _ = std::thread::Builder::new()
        .name("profile".to_owned())
        .stack_size(256 * 1024)
        .spawn(reading);
    receiver
}
