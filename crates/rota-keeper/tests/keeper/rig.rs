//! A keeper for one test, and the test's end of the line to it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rota_keeper::client::KeeperClient;
use rota_keeper::protocol::{Env, ExitInfo, FromKeeper, Hello, Mode, SpawnSpec, ToKeeper};
use rota_sys::cgroup::{self, Group};
use rota_sys::process::{self, ExitStatus, kill_group};
use rota_sys::signal::Signal;
use rota_sys::spawn::Spawn;
use rota_sys::{lock, memfd, procfs, scm};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;

/// Only against hanging: no test passes or fails by how long something takes.
const HANG: Duration = Duration::from_secs(60);

/// A child that no test has.
const NOBODY: u64 = 4_711_000;

pub struct Rig {
    pub keeper: u32,
    pub folder: TempDir,
    rendezvous: UnixListener,
    reaped: bool,
}

/// Who has started a keeper as a service.
pub struct Manager(UnixDatagram);

impl Manager {
    /// The next notice, and what came with it.
    pub fn hears(&self) -> (String, Vec<OwnedFd>) {
        let mut bytes = [0; 4096];
        let received = scm::recv(&self.0, &mut bytes).unwrap();
        let text = String::from_utf8_lossy(&bytes[..received.len]).into_owned();
        (text, received.fds)
    }
}

/// One supervisor's life.
pub struct Line {
    pub client: KeeperClient,
    pub pid: u32,
    process: UnixStream,
}

/// What a keeper hands back.
pub struct Restored {
    pub hello: Hello,
    pub entries: Vec<(String, Vec<u8>, Vec<OwnedFd>)>,
    pub children: Vec<(u64, u32, Option<ExitInfo>)>,
    pub groups: Vec<(u64, String)>,
}

impl Rig {
    pub fn start() -> Self {
        Self::start_as(
            tempfile::tempdir().unwrap(),
            &std::env::current_exe().unwrap(),
        )
    }

    /// A keeper that is this program.
    pub fn start_as(folder: TempDir, program: &Path) -> Self {
        Self::start_with(folder, program, &[], &[])
    }

    /// A keeper that a manager has started, with these variables and descriptors from 3 on; and the manager's socket.
    pub fn managed(env: &[(&str, &str)], fds: &[OwnedFd]) -> (Self, Manager) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manager");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(HANG)).unwrap();
        let mut env: Vec<(&str, OsString)> = env
            .iter()
            .map(|(name, value)| (*name, value.into()))
            .collect();
        env.push(("NOTIFY_SOCKET", path.into()));
        let program = std::env::current_exe().unwrap();
        (
            Self::start_with(folder, &program, &env, fds),
            Manager(socket),
        )
    }

    /// A keeper whose supervisors have so many microseconds for a sign of life.
    pub fn watched(microseconds: u32) -> Self {
        let program = std::env::current_exe().unwrap();
        let env = [("WATCHDOG_USEC", microseconds.to_string().into())];
        Self::start_with(tempfile::tempdir().unwrap(), &program, &env, &[])
    }

    /// A keeper that makes control groups in this directory, past the greeting of its supervisor.
    pub fn supervised_in(base: &Path) -> (Self, Line, Restored) {
        let program = std::env::current_exe().unwrap();
        let env = [("ROTA_CGROUP", base.into())];
        let rig = Self::start_with(tempfile::tempdir().unwrap(), &program, &env, &[]);
        let line = rig.supervisor();
        let restored = line.restored();
        (rig, line, restored)
    }

    fn start_with(
        folder: TempDir,
        program: &Path,
        env: &[(&str, OsString)],
        fds: &[OwnedFd],
    ) -> Self {
        let path = |name: &str| folder.path().join(name);
        let rendezvous = UnixListener::bind(path("rendezvous")).unwrap();
        let api = UnixListener::bind(path("api")).unwrap();
        let lock = lock::attempt(&path("lock")).unwrap().unwrap();
        let boot = memfd::sealed("boot", b"the start request").unwrap();
        let mut spawn = Spawn::new(program)
            .arg("__keeper")
            .arg(folder.path())
            .arg(path("rendezvous"))
            .fd(&api, 10)
            .fd(&lock, 11)
            .fd(&boot, 12);
        spawn.env = std::env::vars_os().collect();
        // A supervisor that a slow machine keeps waiting is not asked, unless a test says so.
        let watched = env.iter().any(|(name, _)| *name == "WATCHDOG_USEC");
        if !watched {
            spawn.env.push(("WATCHDOG_USEC".into(), "0".into()));
        }
        for (name, value) in env {
            spawn.env.push((name.into(), value.clone()));
        }
        if !fds.is_empty() {
            spawn.pid_env = vec!["LISTEN_PID".into()];
        }
        spawn.fds.extend(fds.iter().map(|fd| fd.as_fd()).zip(3..));
        let keeper = spawn.start().unwrap();
        Self {
            keeper,
            folder,
            rendezvous,
            reaped: false,
        }
    }

    /// Waits for the next supervisor.
    pub fn supervisor(&self) -> Line {
        readable(self.rendezvous.as_fd());
        let (process, _) = self.rendezvous.accept().unwrap();
        let mut pid = [0; 4];
        let mut received = scm::recv(&process, &mut pid).unwrap();
        let client = KeeperClient::from_fd(received.fds.pop().unwrap()).unwrap();
        Line {
            client,
            pid: u32::from_le_bytes(pid),
            process,
        }
    }

    /// The first supervisor, past the greeting.
    pub fn supervised() -> (Self, Line) {
        let rig = Self::start();
        let line = rig.supervisor();
        line.restored();
        (rig, line)
    }

    /// What a killed keeper could not.
    fn remove_groups(&self) {
        let Ok(base) = cgroup::own() else { return };
        let end = format!("-{}", self.keeper);
        for group in Group::at(base).below() {
            let name = group.path().file_name().unwrap().to_string_lossy();
            if name.starts_with("rota-") && name.ends_with(&end) {
                let _ = group.kill();
                while group.is_populated() {
                    std::thread::yield_now();
                }
                group.remove();
            }
        }
    }

    /// Waits for the keeper's end.
    pub fn wait(mut self) -> ExitStatus {
        self.reaped = true;
        let pidfd = process::pidfd_open(self.keeper).unwrap();
        readable(pidfd.as_fd());
        process::reap(self.keeper).unwrap().unwrap().0
    }

    /// Ends everything in the usual way.
    pub fn finish(self, line: &Line) {
        line.send(&ToKeeper::Exit { code: 0 }, &[]);
        line.end(0);
        assert_eq!(self.wait(), ExitStatus::Code(0));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if !self.reaped {
            for child in procfs::children(self.keeper).unwrap_or_default() {
                let _ = kill_group(child, Signal::KILL);
            }
            let _ = process::kill(self.keeper, Signal::KILL);
            if let Ok(pidfd) = process::pidfd_open(self.keeper) {
                readable(pidfd.as_fd());
            }
            let _ = process::reap(self.keeper);
            self.remove_groups();
        }
    }
}

impl Line {
    pub fn send(&self, message: &ToKeeper, fds: &[BorrowedFd<'_>]) {
        self.send_as(Mode::Single, message, fds);
    }

    /// Sends a request that waits for the rest of its transaction.
    pub fn hold(&self, message: &ToKeeper, fds: &[BorrowedFd<'_>]) {
        self.send_as(Mode::Held, message, fds);
    }

    pub fn send_as(&self, mode: Mode, message: &ToKeeper, fds: &[BorrowedFd<'_>]) {
        loop {
            match self.client.send_as(mode, message, fds) {
                Ok(()) => return,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    wait_for(self.client.as_fd(), PollFlags::OUT);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The next message.
    pub fn next(&self) -> (FromKeeper, Vec<OwnedFd>) {
        loop {
            match self.client.try_recv() {
                Ok(Some(message)) => return message,
                Ok(None) => panic!("the keeper is gone"),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    readable(self.client.as_fd())
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub fn message(&self) -> FromKeeper {
        self.next().0
    }

    /// Everything up to `Restored`.
    pub fn restored(&self) -> Restored {
        let FromKeeper::Hello(hello) = self.message() else {
            panic!("no hello")
        };
        let mut restored = Restored {
            hello,
            entries: Vec::new(),
            children: Vec::new(),
            groups: Vec::new(),
        };
        loop {
            match self.next() {
                (FromKeeper::Entry { key, blob }, fds) => restored.entries.push((key, blob, fds)),
                (
                    FromKeeper::Child {
                        child,
                        pid,
                        exited,
                        group,
                    },
                    _,
                ) => {
                    restored.children.push((child, pid, exited));
                    restored.groups.extend(group.map(|group| (child, group)));
                }
                (FromKeeper::Restored, _) => return restored,
                (other, _) => panic!("{other:?}"),
            }
        }
    }

    /// Spawns, and expects it to succeed.
    pub fn spawn(&self, child: u64, spec: SpawnSpec, fds: &[BorrowedFd<'_>]) -> u32 {
        self.spawn_in_group(child, spec, fds).0
    }

    /// The same; the second is its control group.
    pub fn spawn_in_group(
        &self,
        child: u64,
        spec: SpawnSpec,
        fds: &[BorrowedFd<'_>],
    ) -> (u32, Option<String>) {
        self.send(
            &ToKeeper::Spawn {
                request: child + 1000,
                child,
                spec,
            },
            fds,
        );
        match self.message() {
            FromKeeper::Spawned {
                request,
                child: of,
                pid,
                group,
            } => {
                assert_eq!((request, of), (child + 1000, child));
                (pid, group)
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next message, which is this child's exit.
    pub fn exited(&self, child: u64) -> ExitInfo {
        match self.message() {
            FromKeeper::Exited {
                child: of, exit, ..
            } if of == child => exit,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the keeper has dealt with everything that was sent: requests are answered in order.
    pub fn settle(&self) {
        self.send(
            &ToKeeper::Signal {
                child: NOBODY,
                signal: 1,
                group: false,
            },
            &[],
        );
        match self.message() {
            FromKeeper::SignalFailed { child: NOBODY, .. } => {}
            other => panic!("{other:?}"),
        }
    }

    /// Kills the supervisor's process.
    pub fn kill(self) {
        process::kill(self.pid, Signal::KILL).unwrap();
    }

    /// Lets the supervisor's process exit with this code.
    pub fn end(&self, code: u8) {
        use std::io::Write as _;
        (&self.process).write_all(&[code]).unwrap();
    }
}

impl Restored {
    /// An entry's blob, and how many descriptors it has.
    pub fn entry(&self, key: &str) -> Option<(&[u8], usize)> {
        let (_, blob, fds) = self.entries.iter().find(|(of, ..)| of == key)?;
        Some((blob, fds.len()))
    }
}

/// Replaces an entry's blob.
pub fn put_blob(key: &str, blob: &[u8]) -> ToKeeper {
    ToKeeper::PutBlob {
        key: key.into(),
        blob: blob.into(),
    }
}

/// Puts an entry.
pub fn put(key: &str, blob: &[u8]) -> ToKeeper {
    ToKeeper::Put {
        key: key.into(),
        blob: blob.into(),
    }
}

/// Starts a child.
pub fn spawn(child: u64, spec: SpawnSpec) -> ToKeeper {
    ToKeeper::Spawn {
        request: child,
        child,
        spec,
    }
}

/// A worker of this binary whose stdout is a pipe; returns its specification and the pipe's ends.
pub fn worker(args: &[&str]) -> (SpawnSpec, OwnedFd, Output) {
    let (read, write) = pipe();
    let program = std::env::current_exe().unwrap().into_os_string();
    let args = ["__worker"]
        .iter()
        .chain(args)
        .map(OsString::from)
        .collect();
    let spec = SpawnSpec {
        program,
        args,
        targets: vec![1],
        new_session: true,
        ..SpawnSpec::default()
    };
    (spec, write, Output(BufReader::new(File::from(read))))
}

/// A shell command.
pub fn shell(command: &str) -> SpawnSpec {
    SpawnSpec {
        program: "sh".into(),
        args: vec!["-c".into(), command.into()],
        env: Env(std::env::vars_os()
            .filter(|(name, _)| name == "PATH")
            .collect()),
        new_session: true,
        ..SpawnSpec::default()
    }
}

/// What a worker prints.
pub struct Output(BufReader<File>);

impl Output {
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub fn pid(&mut self) -> u32 {
        self.line().parse().unwrap()
    }

    /// Everything until all writers have gone.
    pub fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).unwrap();
        rest
    }
}

pub fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
}

/// Whether there is no such process any more, not even a dead one.
pub fn is_gone(pid: u32) -> bool {
    !fs::exists(format!("/proc/{pid}")).unwrap()
}

pub fn readable(fd: BorrowedFd<'_>) {
    wait_for(fd, PollFlags::IN);
}

fn wait_for(fd: BorrowedFd<'_>, flags: PollFlags) {
    let since = Instant::now();
    let limit = Timespec::try_from(HANG).unwrap();
    let found = poll(&mut [PollFd::from_borrowed_fd(fd, flags)], Some(&limit)).unwrap();
    assert!(found > 0, "nothing has come for {:?}", since.elapsed());
}
