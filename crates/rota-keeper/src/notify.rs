//! Notices to the manager that has started the keeper as a service: `sd_notify`, the client's side.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::log;

/// Where the manager listens; a path, or `@` and an abstract name.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Sends a notice, if anybody wants it.
pub(crate) fn tell(text: &str) {
    let Some(place) = std::env::var_os(SOCKET) else {
        return;
    };
    if let Err(error) = send(&place, text) {
        log(format_args!("cannot notify {}: {error}", place.display()));
    }
}

fn send(place: &OsStr, text: &str) -> io::Result<()> {
    let address = match place.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(place)?,
    };
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold the keeper up.
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_addresses_are_understood() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("rota-test-{}", std::process::id());
        let sockets = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path)),
            (
                format!("@{name}").into(),
                SocketAddr::from_abstract_name(&name)
                    .and_then(|address| UnixDatagram::bind_addr(&address)),
            ),
        ];
        for (place, socket) in sockets {
            let socket = socket.unwrap();
            send(&place, "READY=1").unwrap();
            let mut bytes = [0; 64];
            let length = socket.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..length], b"READY=1");
        }
        assert!(send(OsStr::new("/nonexistent/socket"), "READY=1").is_err());
    }
}
