//! The part before the fork: everything that needs memory or can fail early.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::ptr;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::pipe::{PipeFlags, pipe_with};

use super::child::{self, Plan, REPORT_LEN};
use super::{Attributes, Spawn, SpawnError, Stage, find_program};
use crate::limits;

/// As many digits as the largest pid may have, and the NUL.
const PID_ROOM: usize = 11;

/// All that the child needs, laid out.
pub(super) struct Prepared {
    program: PathBuf,
    cwd_path: PathBuf,
    path: CString,
    argv: Vec<CString>,
    env: Vec<Vec<u8>>,
    /// Which of `env` end in room for the pid, and where that room starts.
    pid_slots: Vec<(usize, usize)>,
    cwd: Option<CString>,
    /// Copies above every target number, so that no `dup2` can hit a source that is still needed.
    sources: Vec<(OwnedFd, RawFd)>,
    floor: RawFd,
    new_session: bool,
    umask: Option<u32>,
    nice: Option<i32>,
    attributes: Attributes,
    oom_score: Option<CString>,
    /// A copy, so that whoever asked may close his.
    cgroup: Option<OwnedFd>,
}

impl Prepared {
    pub(super) fn new(spawn: &Spawn<'_>) -> Result<Self, SpawnError> {
        let (env, pid_slots, search) = environment(spawn)?;
        let program = find_program(&spawn.program, search.as_deref(), spawn.cwd.as_deref())
            .ok_or_else(|| SpawnError::NotOnPath(spawn.program.clone()))?;
        let argv0 = spawn
            .argv0
            .clone()
            .unwrap_or_else(|| spawn.program.clone().into_os_string());
        let argv = std::iter::once(&argv0)
            .chain(&spawn.args)
            .map(|arg| c_string(arg, "an argument"))
            .collect::<Result<_, _>>()?;
        let floor = floor(spawn)?;
        if let Some(identity) = &spawn.attributes.identity
            && (identity.uid == u32::MAX || identity.gid == u32::MAX)
        {
            // To the kernel that means "leave it as it is": it would stay root.
            return Err(SpawnError::os(Stage::Identity, &program, libc::EINVAL));
        }
        Ok(Self {
            path: c_string(program.as_os_str(), "the program's path")?,
            argv,
            env,
            pid_slots,
            cwd: spawn
                .cwd
                .as_ref()
                .map(|cwd| c_string(cwd.as_os_str(), "the working directory"))
                .transpose()?,
            cwd_path: spawn.cwd.clone().unwrap_or_default(),
            sources: sources(spawn, floor).map_err(|error| {
                SpawnError::os(
                    Stage::Prepare,
                    &program,
                    error.raw_os_error().unwrap_or(libc::EBADF),
                )
            })?,
            floor,
            new_session: spawn.new_session,
            umask: spawn.umask,
            nice: spawn.nice,
            attributes: spawn.attributes.clone(),
            oom_score: spawn
                .attributes
                .oom_score_adj
                .map(|score| c_string(OsStr::new(&score.to_string()), "the score"))
                .transpose()?,
            cgroup: spawn
                .cgroup
                .map(|entrance| fcntl_dupfd_cloexec(entrance, floor))
                .transpose()
                .map_err(|errno| SpawnError::os(Stage::Prepare, &program, errno.raw_os_error()))?,
            program,
        })
    }

    pub(super) fn start(mut self) -> Result<u32, SpawnError> {
        let failed = |stage, error: io::Error| {
            SpawnError::os(
                stage,
                &self.program,
                error.raw_os_error().unwrap_or(libc::EIO),
            )
        };
        let (read, write) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failed(Stage::Prepare, errno.into()))?;
        let report = fcntl_dupfd_cloexec(&write, self.floor)
            .map_err(|errno| failed(Stage::Prepare, errno.into()))?;
        drop(write);

        let argv: Vec<_> = self
            .argv
            .iter()
            .map(|s| s.as_ptr())
            .chain([ptr::null()])
            .collect();
        let pid_room: Vec<_> = self
            .pid_slots
            .iter()
            .map(|&(index, offset)| self.env[index][offset..].as_mut_ptr())
            .collect();
        let envp: Vec<_> = self
            .env
            .iter()
            .map(|s| s.as_ptr().cast())
            .chain([ptr::null()])
            .collect();
        let fds: Vec<_> = self
            .sources
            .iter()
            .map(|(source, target)| (source.as_raw_fd(), *target))
            .collect();
        let plan = Plan {
            path: self.path.as_ptr(),
            argv: &argv,
            envp: &envp,
            pid_room: &pid_room,
            cwd: self.cwd.as_ref().map(|cwd| cwd.as_ptr()),
            fds: &fds,
            report: report.as_raw_fd(),
            new_session: self.new_session,
            umask: self.umask,
            nice: self.nice,
            nofile: limits::nofile_for_children(),
            attributes: &self.attributes,
            oom_score: self.oom_score.as_deref(),
            cgroup: self.cgroup.as_ref().map(|entrance| entrance.as_raw_fd()),
        };
        let pid = child::fork(&plan)
            .map_err(|error| SpawnError::os(Stage::Fork, &self.program, error))?;
        drop(report);
        match failure(read) {
            None => Ok(pid),
            Some((stage, errno)) => {
                child::reap(pid);
                let about = if stage == Stage::Cwd {
                    &self.cwd_path
                } else {
                    &self.program
                };
                Err(SpawnError::os(stage, about, errno))
            }
        }
    }
}

/// Waits for the end of the report pipe: it is empty when `execve` has closed it.
fn failure(read: OwnedFd) -> Option<(Stage, i32)> {
    let mut report = Vec::with_capacity(REPORT_LEN);
    // A read that fails leaves the report short, which counts as no failure: the child's exit will tell.
    let _ = File::from(read)
        .take(REPORT_LEN as u64)
        .read_to_end(&mut report);
    let report: [u8; REPORT_LEN] = report.try_into().ok()?;
    Some(child::read_report(report))
}

fn c_string(text: &OsStr, what: &'static str) -> Result<CString, SpawnError> {
    CString::new(text.as_bytes()).map_err(|_| SpawnError::Nul(what))
}

type Environment = (Vec<Vec<u8>>, Vec<(usize, usize)>, Option<OsString>);

/// The strings `NAME=value\0`, where the pid goes, and the value of `PATH`.
fn environment(spawn: &Spawn<'_>) -> Result<Environment, SpawnError> {
    let mut values: BTreeMap<&OsStr, Option<&OsStr>> = BTreeMap::new();
    for (name, value) in &spawn.env {
        values.insert(name, Some(value));
    }
    for name in &spawn.pid_env {
        values.insert(name, None);
    }
    let search = values
        .get(OsStr::new("PATH"))
        .copied()
        .flatten()
        .map(OsStr::to_owned);
    let mut strings = Vec::with_capacity(values.len());
    let mut pid_slots = Vec::new();
    for (name, value) in values {
        if name.is_empty() || name.as_bytes().contains(&b'=') {
            return Err(SpawnError::EnvName);
        }
        let mut string = name.to_owned().into_vec();
        string.push(b'=');
        match value {
            Some(value) => string.extend_from_slice(value.as_bytes()),
            None => pid_slots.push((strings.len(), string.len())),
        }
        if string.contains(&0) {
            return Err(SpawnError::Nul("an environment variable"));
        }
        let room = if value.is_some() { 1 } else { PID_ROOM };
        string.resize(string.len() + room, 0);
        strings.push(string);
    }
    Ok((strings, pid_slots, search))
}

/// The lowest number that is no target, nor any of the standard streams.
fn floor(spawn: &Spawn<'_>) -> Result<RawFd, SpawnError> {
    let mut floor = 3;
    for &(_, target) in &spawn.fds {
        if target < 0 || target == RawFd::MAX {
            return Err(SpawnError::FdNumber(target));
        }
        floor = floor.max(target + 1);
    }
    Ok(floor)
}

fn sources(spawn: &Spawn<'_>, floor: RawFd) -> io::Result<Vec<(OwnedFd, RawFd)>> {
    let mut sources = Vec::with_capacity(spawn.fds.len() + 1);
    if spawn.fds.iter().all(|(_, target)| *target != 0) {
        let null = File::open("/dev/null")?;
        sources.push((fcntl_dupfd_cloexec(null.as_fd(), floor)?, 0));
    }
    for (fd, target) in &spawn.fds {
        sources.push((fcntl_dupfd_cloexec(fd, floor)?, *target));
    }
    Ok(sources)
}
