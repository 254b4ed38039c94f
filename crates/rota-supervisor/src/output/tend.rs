//! The thread that compresses what was put aside, and removes what is too much. Everything is found from the names of
//! files, so that it can be killed at any moment.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use rota_config::RotateSpec;
use rustix::fs::{AtFlags, OFlags, unlinkat};

use super::aside::{self, Aside, State};
use super::folder::{open_folder, open_in};
use super::route::Target;
use super::{times, writer};

/// How often files are looked through for such as have become too old.
const AGAIN: Duration = Duration::from_secs(3600);
/// How nice it is to everybody else.
const NICE: i32 = 19;
/// Compression begins with large tables.
const STACK: usize = 1024 * 1024;
/// How much is read at a time.
const BLOCK: usize = 32 * 1024;

/// What the thread is to do.
enum Care {
    /// Compress and remove, by these rules, what there is of this log.
    Tend(Target),
    /// Remove everything that was put aside of it.
    Discard(Vec<Arc<Path>>, tokio::sync::oneshot::Sender<()>),
}

/// The way to the thread. It ends with the last of them.
#[derive(Clone)]
pub(super) struct Tender {
    orders: Sender<Care>,
}

impl Tender {
    /// Starts the thread; `dir` is the folder of the logs that have no place of their own.
    pub fn start(dir: &Path) -> io::Result<Self> {
        let (orders, received) = mpsc::channel();
        let dir = dir.to_owned();
        thread::Builder::new()
            .name("log-keeper".into())
            .stack_size(STACK)
            .spawn(move || {
                // Refused by a strange sandbox at most: then it is as quick as others.
                let _ = rustix::process::setpriority_process(None, NICE);
                work(&dir, &received);
            })?;
        Ok(Self { orders })
    }

    pub fn tend(&self, target: Target) {
        // The thread lives as long as we do.
        let _ = self.orders.send(Care::Tend(target));
    }

    pub fn discard(&self, paths: Vec<Arc<Path>>, done: tokio::sync::oneshot::Sender<()>) {
        let _ = self.orders.send(Care::Discard(paths, done));
    }
}

fn work(dir: &Path, orders: &Receiver<Care>) {
    let mut known: HashMap<Arc<Path>, Arc<RotateSpec>> = HashMap::new();
    let mut troubled = false;
    loop {
        let care = match orders.recv_timeout(AGAIN) {
            Ok(care) => Some(care),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let mut result = Ok(());
        match care {
            Some(Care::Tend(target)) => {
                result = tend(dir, &target.path, &target.rotate);
                known.insert(target.path, target.rotate);
            }
            Some(Care::Discard(paths, done)) => {
                for path in &paths {
                    for file in aside::list(path) {
                        result = result.and(remove(dir, path, &file));
                    }
                }
                // Who asked may have gone.
                let _ = done.send(());
            }
            None => {
                for (path, rotate) in &known {
                    result = result.and(tend(dir, path, rotate));
                }
            }
        }
        let failed = result.is_err();
        if let (Err(error), false) = (result, troubled) {
            writer::tell(&format!(
                "rota: log files that were put aside cannot be compressed or removed: {error}"
            ));
        }
        troubled = failed;
    }
}

/// Does all that is to do for one log.
pub(super) fn tend(dir: &Path, path: &Path, rotate: &RotateSpec) -> io::Result<()> {
    loop {
        let left = tidy(dir, path, rotate)?;
        let plain = left.iter().find(|file| file.state == State::Plain);
        let Some(file) = plain.filter(|_| rotate.compress) else {
            return Ok(());
        };
        compress(path, file)?;
    }
}

/// Removes what is broken, there twice, too much or too old. What is left, oldest first.
fn tidy(dir: &Path, path: &Path, rotate: &RotateSpec) -> io::Result<Vec<Aside>> {
    let mut files = aside::list(path);
    let mut unwanted: Vec<Aside> = Vec::new();
    files.retain(|file| {
        let whole = file.state != State::Part;
        if !whole {
            unwanted.push(file.clone());
        }
        whole
    });
    let compressed: Vec<String> = files
        .iter()
        .filter(|file| file.state == State::Compressed)
        .map(|file| file.stamp.clone())
        .collect();
    // The compressed one has its name only since it is whole.
    let twice = |file: &Aside| file.state == State::Plain && compressed.contains(&file.stamp);
    unwanted.extend(files.iter().filter(|file| twice(file)).cloned());
    files.retain(|file| !twice(file));
    let many = files.len().saturating_sub(rotate.keep as usize);
    unwanted.extend(files.drain(..many));
    if let Some(age) = &rotate.max_age {
        let oldest = aside::millis(SystemTime::now()).saturating_sub(age.millis());
        let old = files.partition_point(|file| file.moment() < oldest);
        unwanted.extend(files.drain(..old));
    }
    let mut result = Ok(());
    for file in &unwanted {
        let keeps_times = file.state == State::Part || twice(file);
        let removed = match keeps_times {
            true => unlink(path, file),
            false => remove(dir, path, file),
        };
        result = result.and(removed);
    }
    result.map(|()| files)
}

/// Removes a file and what is known of its times.
fn remove(dir: &Path, path: &Path, file: &Aside) -> io::Result<()> {
    let _ = fs::remove_file(times::path(dir, path, Some(&file.stamp)));
    unlink(path, file)
}

fn unlink(path: &Path, file: &Aside) -> io::Result<()> {
    let (folder, name) = aside::split(path);
    let folder = open_folder(&folder)?;
    match unlinkat(&folder, file.name(&name), AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Compresses a file beside it, gives the result its name when it is whole, and removes the file then.
fn compress(path: &Path, file: &Aside) -> io::Result<()> {
    let (folder_path, log) = aside::split(path);
    let folder = open_folder(&folder_path)?;
    let part = named(file, State::Part, &log);
    let written = squeeze(&folder, &file.name(&log), &part);
    let done = written.and_then(|()| {
        let whole = named(file, State::Compressed, &log);
        rustix::fs::renameat(&folder, part.as_str(), &folder, whole)?;
        unlink(path, file)
    });
    if done.is_err() {
        // A full disk does not get fuller.
        let _ = unlinkat(&folder, part.as_str(), AtFlags::empty());
    }
    done
}

fn named(file: &Aside, state: State, log: &str) -> String {
    let stamp = file.stamp.clone();
    Aside { stamp, state }.name(log)
}

fn squeeze(folder: &OwnedFd, from: &str, to: &str) -> io::Result<()> {
    let mut input = BufReader::with_capacity(BLOCK, open_in(folder, from, OFlags::RDONLY)?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let output: File = open_in(folder, to, flags)?;
    let mut encoder = GzEncoder::new(output, Compression::fast());
    let mut block = vec![0; BLOCK];
    loop {
        match input.read(&mut block) {
            Ok(0) => break,
            Ok(bytes) => encoder.write_all(&block[..bytes])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    encoder.finish()?.sync_all()
}
