//! Accepting connections, and who may connect.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use rota_api::HyperIo;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use super::routes;
use crate::supervisor::Supervisor;

/// After a failed accept (no descriptors left): long enough not to spin, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How soon it is told again: it may last, and the log is to stay readable.
const TOLD_AGAIN: Duration = Duration::from_secs(60);

/// How many callers there are, so that the end of the daemon can wait for their answers.
#[derive(Default)]
pub(crate) struct Connections {
    open: Cell<usize>,
    changed: Notify,
}

impl Connections {
    /// Resolves when nobody is connected.
    pub(crate) async fn none_left(&self) {
        while self.open.get() > 0 {
            self.changed.notified().await;
        }
    }

    fn change(&self, open: usize) {
        self.open.set(open);
        self.changed.notify_one();
    }
}

/// Serves the API for the life of the supervisor.
///
/// # Errors
/// When the socket cannot be used at all.
pub(crate) async fn serve(supervisor: Rc<Supervisor>, socket: OwnedFd) -> io::Result<()> {
    let socket = std::os::unix::net::UnixListener::from(socket);
    socket.set_nonblocking(true)?;
    let socket = UnixListener::from_std(socket)?;
    let me = rustix::process::geteuid().as_raw();
    let mut told: Option<Instant> = None;
    loop {
        match socket.accept().await {
            Ok((stream, _)) if may_connect(&stream, me) => {
                tokio::task::spawn_local(connection(Rc::clone(&supervisor), stream));
            }
            Ok((stream, _)) => {
                let who = stream.peer_cred().map(|peer| peer.uid());
                supervisor.say(&format!("refused a connection to the API by user {who:?}"));
            }
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() > TOLD_AGAIN) {
                    told = Some(Instant::now());
                    supervisor.say(&format!("cannot accept a connection to the API: {error}"));
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The socket's mode keeps others out already; this holds even if somebody changed the mode.
fn may_connect(stream: &UnixStream, me: u32) -> bool {
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == me || peer.uid() == 0)
}

async fn connection(supervisor: Rc<Supervisor>, stream: UnixStream) {
    let connections = &supervisor.api_connections;
    connections.change(connections.open.get() + 1);
    let service = service_fn(|request| {
        let supervisor = Rc::clone(&supervisor);
        async move { Ok::<_, Infallible>(routes::answer(&supervisor, request).await) }
    });
    // A caller that breaks off is its own affair.
    let _ = http1::Builder::new()
        .serve_connection(HyperIo::new(stream), service)
        .await;
    connections.change(connections.open.get().saturating_sub(1));
}
