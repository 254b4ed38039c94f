//! Which connections of a port live, from the kernel.

use std::net::SocketAddr;

use rota_sys::sock_diag::{Connection, SockDiag};

/// Connections in the kernel's list for which the buffer is kept.
const KEPT: usize = 4096;

/// The way to ask, once it has been needed.
#[derive(Debug, Default)]
pub(super) struct LivePeers {
    diag: Option<SockDiag>,
    denied: bool,
    found: Vec<Connection>,
}

impl LivePeers {
    /// The clients of the connections with that local port which some process still has open.
    ///
    /// The error is text for people the first time, and nothing when they know it already.
    pub(super) fn of_port(
        &mut self,
        port: u16,
    ) -> Result<impl Iterator<Item = SocketAddr> + '_, Option<String>> {
        if self.denied {
            return Err(None);
        }
        self.found.clear();
        self.found.shrink_to(KEPT);
        match self.ask(port) {
            Ok(()) => Ok(self.found.iter().filter(|c| c.open).map(|c| c.peer)),
            Err(error) => {
                self.denied = true;
                self.diag = None;
                Err(Some(format!(
                    "the kernel does not list connections ({error}): workers get them in turn"
                )))
            }
        }
    }

    fn ask(&mut self, port: u16) -> std::io::Result<()> {
        let diag = match &mut self.diag {
            Some(diag) => diag,
            none => none.insert(SockDiag::open()?),
        };
        diag.connections(port, &mut self.found)
    }
}
