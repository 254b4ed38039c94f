//! The socket of one worker.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rota_sys::scm::{self, Received, RecvError};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use thiserror::Error;
use tokio::io::Interest;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_local, yield_now};

use super::parse::{MAX_DATAGRAM, Notification, parse};

/// The longest path that a Unix socket can have.
const MAX_PATH: usize = 107;

/// Where notifications go, with the worker that sent them. When it is full, the programs wait.
pub type Sender = mpsc::Sender<(u64, Notification)>;

/// Why a worker has no notify socket.
#[derive(Debug, Error)]
pub enum NotifyError {
    /// No program could connect to it.
    #[error("the path {path} is longer than the {MAX_PATH} bytes that a socket can have: choose a shorter ROTA_HOME", path = .0.display())]
    PathTooLong(PathBuf),
    /// It cannot be made.
    #[error("the notify socket {path} cannot be made", path = .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A worker's socket. Dropping it closes it and removes the path.
#[derive(Debug)]
pub struct NotifySocket {
    worker: u64,
    path: PathBuf,
    socket: Option<UnixDatagram>,
    task: Option<AbortHandle>,
}

impl NotifySocket {
    /// Makes the socket `<dir>/<worker>`, for this user only. A stale one is replaced; the folder is
    /// made when it is missing.
    ///
    /// # Errors
    ///
    /// See [`NotifyError`].
    pub fn bind(dir: &Path, worker: u64) -> Result<Self, NotifyError> {
        let path = dir.join(worker.to_string());
        if path.as_os_str().len() > MAX_PATH {
            return Err(NotifyError::PathTooLong(path));
        }
        match bind(dir, &path) {
            Ok(socket) => Ok(Self {
                worker,
                path,
                socket: Some(socket),
                task: None,
            }),
            Err(source) => Err(NotifyError::Io { path, source }),
        }
    }

    /// The same for a program of another user. The folder must be there, open to that user and closed to writers.
    ///
    /// # Errors
    ///
    /// See [`NotifyError`].
    pub fn bind_for(dir: &Path, worker: u64, uid: u32, gid: u32) -> Result<Self, NotifyError> {
        let socket = Self::bind(dir, worker)?;
        // Its mode lets in nobody but its owner, and root.
        std::os::unix::fs::lchown(&socket.path, Some(uid), Some(gid)).map_err(|source| {
            NotifyError::Io {
                path: socket.path.clone(),
                source,
            }
        })?;
        Ok(socket)
    }

    /// The socket of a worker that an earlier supervisor made with [`Self::bind`].
    ///
    /// # Errors
    ///
    /// When it is no such socket.
    pub fn adopt(dir: &Path, worker: u64, socket: OwnedFd) -> Result<Self, NotifyError> {
        let path = dir.join(worker.to_string());
        let socket = UnixDatagram::from(socket);
        match socket.set_nonblocking(true) {
            Ok(()) => Ok(Self {
                worker,
                path,
                socket: Some(socket),
                task: None,
            }),
            Err(source) => Err(NotifyError::Io { path, source }),
        }
    }

    /// A copy of the socket, for whoever keeps it beyond the life of this process. Before [`Self::listen`].
    ///
    /// # Errors
    ///
    /// When no descriptors are left.
    pub fn copy(&self) -> Result<Option<OwnedFd>, NotifyError> {
        let copy = self.socket.as_ref().map(UnixDatagram::try_clone);
        let copy = copy.transpose().map_err(|source| NotifyError::Io {
            path: self.path.clone(),
            source,
        })?;
        Ok(copy.map(OwnedFd::from))
    }

    /// The value for `NOTIFY_SOCKET`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Passes everything on from now on, in a task of its own; what has come in before is not lost.
    /// Must be called within a `LocalSet`.
    ///
    /// # Errors
    ///
    /// When the socket cannot be watched.
    pub fn listen(mut self, notifications: Sender) -> Result<Self, NotifyError> {
        if let Some(socket) = self.socket.take() {
            let socket = tokio::net::UnixDatagram::from_std(socket);
            let socket = socket.map_err(|source| NotifyError::Io {
                path: self.path.clone(),
                source,
            })?;
            let task = spawn_local(receive(socket, self.worker, notifications));
            self.task = Some(task.abort_handle());
        }
        Ok(self)
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        // Somebody may have removed it already.
        let _ = fs::remove_file(&self.path);
        if let Some(folder) = self.path.parent() {
            crate::reach::tidy(folder);
        }
    }
}

fn bind(dir: &Path, path: &Path) -> io::Result<UnixDatagram> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    // The file gets the socket's mode: there is no moment at which others could connect.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(0o600))?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    // Whatever the umask has taken away.
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(socket.into())
}

/// Reads until nobody wants to know any more.
async fn receive(socket: tokio::net::UnixDatagram, worker: u64, notifications: Sender) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    while socket.readable().await.is_ok() {
        let received = socket.try_io(Interest::READABLE, || {
            match scm::recv(&socket, &mut buffer) {
                Ok(Received { len, fds }) => Ok((len, fds)),
                Err(RecvError::FdsLost { len }) => Ok((len, Vec::new())),
                Err(RecvError::TooLong) => Ok((0, Vec::new())),
                Err(RecvError::Io(error)) => Err(error),
            }
        });
        let Ok((len, fds)) = received else {
            yield_now().await;
            continue;
        };
        for notification in parse(&buffer[..len]) {
            if notifications.send((worker, notification)).await.is_err() {
                return;
            }
        }
        // Closed only now: that is what the sender of BARRIER=1 waits for.
        drop(fds);
        // A program that floods us must not keep the others waiting.
        yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use tokio::task::LocalSet;

    use super::*;

    fn sender() -> UnixDatagram {
        UnixDatagram::unbound().unwrap()
    }

    #[tokio::test]
    async fn programs_are_heard_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("notify");
        LocalSet::new()
            .run_until(async {
                let (tx, mut rx) = mpsc::channel(8);
                let socket = NotifySocket::bind(&dir, 7).unwrap();
                let path = socket.path().to_owned();
                assert_eq!(
                    fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                    0o600
                );
                assert_eq!(
                    fs::metadata(&dir).unwrap().permissions().mode() & 0o777,
                    0o700
                );
                // Sent before anybody listens.
                sender().send_to(b"STATUS=starting", &path).unwrap();
                let socket = socket.listen(tx).unwrap();
                sender()
                    .send_to(b"MAINPID=12\nREADY=1\nNONSENSE", &path)
                    .unwrap();
                let expected = [
                    Notification::Status("starting".into()),
                    Notification::MainPid(12),
                    Notification::Ready,
                ];
                for notification in expected {
                    assert_eq!(rx.recv().await, Some((7, notification)));
                }
                drop(socket);
                assert!(!path.exists());
                assert_eq!(rx.recv().await, None);
            })
            .await;
    }

    #[tokio::test]
    async fn long_datagrams_are_ignored_and_descriptors_are_closed() {
        let dir = tempfile::tempdir().unwrap();
        LocalSet::new()
            .run_until(async {
                let (tx, mut rx) = mpsc::channel(8);
                let socket = NotifySocket::bind(dir.path(), 1).unwrap();
                let path = socket.path().to_owned();
                let _socket = socket.listen(tx).unwrap();
                let program = sender();
                program.connect(&path).unwrap();

                let mut long = b"READY=1\nSTATUS=".to_vec();
                long.resize(MAX_DATAGRAM + 1, b'x');
                program.send(&long).unwrap();
                let (ours, theirs) = UnixStream::pair().unwrap();
                let many = vec![theirs.as_fd(); scm::MAX_FDS];
                scm::send(&program, b"BARRIER=1", &many).unwrap();
                scm::send(&program, b"FDSTORE=1\nREADY=1", &many[..3]).unwrap();
                drop(many);
                drop(theirs);

                assert_eq!(rx.recv().await, Some((1, Notification::Ready)));
                // The end comes when the last copy is closed.
                let mut ours = ours;
                let end = tokio::task::spawn_blocking(move || ours.read(&mut [0]));
                assert_eq!(end.await.unwrap().unwrap(), 0);
            })
            .await;
    }

    #[tokio::test]
    async fn a_flood_waits_and_nobody_is_kept_from_speaking() {
        let dir = tempfile::tempdir().unwrap();
        LocalSet::new()
            .run_until(async {
                let (tx, mut rx) = mpsc::channel(1);
                let loud = NotifySocket::bind(dir.path(), 1).unwrap();
                let quiet = NotifySocket::bind(dir.path(), 2).unwrap();
                let (loud_path, quiet_path) = (loud.path().to_owned(), quiet.path().to_owned());
                let loud = loud.listen(tx.clone()).unwrap();
                let _quiet = quiet.listen(tx).unwrap();
                let flood = std::thread::spawn(move || {
                    let program = sender();
                    // Blocks when nobody reads; ends when the socket is gone.
                    while program.send_to(b"WATCHDOG=1", &loud_path).is_ok() {}
                });
                while rx.recv().await != Some((1, Notification::Watchdog)) {}
                sender().send_to(b"READY=1", &quiet_path).unwrap();
                while rx.recv().await != Some((2, Notification::Ready)) {}
                drop(loud);
                let end = tokio::task::spawn_blocking(move || flood.join());
                // What it still waits with is let go.
                while !end.is_finished() {
                    rx.try_recv().ok();
                    yield_now().await;
                }
            })
            .await;
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_long_path_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let stale = UnixDatagram::bind(dir.path().join("5")).unwrap();
        drop(stale);
        let socket = NotifySocket::bind(dir.path(), 5).unwrap();
        sender().send_to(b"READY=1", socket.path()).unwrap();

        let deep = dir.path().join("x".repeat(100));
        let error = NotifySocket::bind(&deep, 5).unwrap_err();
        assert!(error.to_string().contains("ROTA_HOME"), "{error}");
        let error = NotifySocket::bind(Path::new("/proc/none"), 5).unwrap_err();
        assert!(matches!(error, NotifyError::Io { .. }));
    }
}
