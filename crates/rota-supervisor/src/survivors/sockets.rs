//! Copies of the sockets that survivors listen on.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rota_config::{AppSpec, ListenTarget};
use rota_engine::AppId;
use rota_sys::process::copy_descriptor;
use rota_sys::procfs;
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::net::{SocketAddrUnix, SocketType, getsockname};

use super::Survivor;
use crate::dispatch::DispatchCommand;
use crate::supervisor::Supervisor;

/// Copies of all listening and UDP sockets of an app's survivors, each once.
///
/// # Errors
/// `EPERM` when the system does not let this process look into them, `ENOSYS` before Linux 5.6.
pub(super) fn copies<'a>(
    survivors: impl Iterator<Item = &'a Survivor>,
) -> io::Result<Vec<OwnedFd>> {
    let mut known = BTreeSet::new();
    let mut copies = Vec::new();
    for survivor in survivors {
        let Ok(sockets) = procfs::socket_descriptors(survivor.trace.process.pid) else {
            continue;
        };
        for (number, inode) in sockets {
            if known.contains(&inode) {
                continue;
            }
            match copy_descriptor(&survivor.process, number) {
                Ok(fd) if is_server(&fd) => {
                    known.insert(inode);
                    copies.push(fd);
                }
                // A connection; or it was closed since, or the process has ended.
                Ok(_) => {}
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(copies)
}

fn is_gone(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::BADF, rustix::io::Errno::SRCH];
    let gone = gone.map(|errno| Some(errno.raw_os_error()));
    gone.contains(&error.raw_os_error())
}

/// A server that clients can reach: the file of a Unix socket may have gone.
pub(crate) fn is_reachable(fd: &OwnedFd) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    let is_socket = |path: &PathBuf| {
        let data = std::fs::symlink_metadata(path);
        data.is_ok_and(|data| data.file_type().is_socket())
    };
    is_server(fd) && path(fd).as_ref().is_none_or(is_socket)
}

fn is_server(fd: &OwnedFd) -> bool {
    match socket_type(fd) {
        Ok(SocketType::STREAM) => socket_acceptconn(fd) == Ok(true),
        Ok(SocketType::DGRAM) => address(fd).is_some_and(|address| address.port() != 0),
        _ => false,
    }
}

fn address(fd: &OwnedFd) -> Option<SocketAddr> {
    getsockname(fd).ok()?.try_into().ok()
}

fn path(fd: &OwnedFd) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let name = SocketAddrUnix::try_from(getsockname(fd).ok()?).ok()?;
    let bytes = name.path_bytes()?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)))
}

impl Supervisor {
    /// A socket of `--listen`, if survivors of the app have it.
    pub(crate) fn recovered_listen(
        &self,
        spec: &AppSpec,
        target: &ListenTarget,
    ) -> Option<OwnedFd> {
        self.with(|state| {
            let left = state.survivors.sockets.get(spec.name.as_str())?;
            let found = left.iter().find(|fd| is_at(fd, target, spec))?;
            found.try_clone().ok()
        })
    }

    /// Recovers the sockets of apps that are there already, of which another supervisor has begun to take the place over.
    pub(crate) fn recover_known(&self) {
        let known = self.with(|state| {
            let apps = state.apps.values();
            let known = apps.filter(|app| state.survivors.sockets.contains_key(app.name()));
            let known = known.map(|app| (app.id, app.name().to_owned()));
            known.collect::<Vec<_>>()
        });
        for (app, name) in known {
            self.recover_sockets(app, &name);
        }
    }

    /// Gives a new app what survivors of that name listen on. To be called before its first worker.
    pub(crate) fn recover_sockets(&self, app: AppId, name: &str) {
        let (sockets, beside) = self.with(|state| {
            let survivors = &mut state.survivors;
            let sockets = survivors.sockets.remove(name).unwrap_or_default();
            (sockets, survivors.beside.remove(name))
        });
        let app = app.0;
        for fd in sockets {
            self.dispatcher.send(DispatchCommand::Recover { app, fd });
        }
        if beside {
            self.dispatcher.send(DispatchCommand::BindBeside { app });
        }
    }
}

/// Whether it is the socket of this `--listen`.
pub(crate) fn is_at(fd: &OwnedFd, target: &ListenTarget, spec: &AppSpec) -> bool {
    if socket_type(fd) != Ok(SocketType::STREAM) {
        return false;
    }
    match target {
        ListenTarget::Tcp(wanted) => address(fd) == Some(*wanted),
        ListenTarget::Port(port) => address(fd).is_some_and(|address| {
            let any = [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()];
            any.contains(&address.ip()) && address.port() == *port
        }),
        ListenTarget::Unix(wanted) => path(fd) == Some(spec.cwd.join(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixListener;

    #[test]
    fn servers_are_told_from_clients() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(is_server(&listener.into()));
        assert!(!is_server(&client.into()));
        assert!(is_server(&UdpSocket::bind("127.0.0.1:0").unwrap().into()));
        assert!(!is_server(
            &std::fs::File::open("/dev/null").unwrap().into()
        ));
    }

    #[test]
    fn sockets_are_known_by_their_addresses() {
        let name = rota_config::AppName::new("api").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let spec = AppSpec::new(name, "app.js", folder.path());
        let any: OwnedFd = TcpListener::bind("[::]:0").unwrap().into();
        let port = address(&any).unwrap().port();
        assert!(is_at(&any, &ListenTarget::Port(port), &spec));
        let here = SocketAddr::from(([127, 0, 0, 1], port));
        assert!(!is_at(&any, &ListenTarget::Tcp(here), &spec));
        let unix: OwnedFd = UnixListener::bind(folder.path().join("s")).unwrap().into();
        assert!(is_reachable(&any) && is_reachable(&unix));
        assert!(is_at(&unix, &ListenTarget::Unix("s".into()), &spec));
        assert!(!is_at(&unix, &ListenTarget::Unix("t".into()), &spec));
        std::fs::remove_file(folder.path().join("s")).unwrap();
        assert!(!is_reachable(&unix));
    }
}
