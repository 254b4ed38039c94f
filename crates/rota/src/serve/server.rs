//! Connections, from the first to the last.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::TcpListener as StdListener;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, body::Incoming};
use rota_api::HyperIo;
use rota_sys::fds::claim_inherited;
use rota_sys::signal::{Signal, Signals};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, spawn_blocking};

use super::answer::{Asked, Server};
use super::body::Answer;
use super::settings::Settings;
use super::site::Site;

/// The first inherited socket.
const LISTEN_FD: i32 = 3;
/// How many connections there may be; the next wait in the kernel's queue.
const MOST: usize = 8192;
/// How long a caller may take for the head of a request, and a kept connection may idle.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the first request of a new connection may take when everything ends.
const FIRST: Duration = Duration::from_secs(2);
/// After a failed accept: no descriptors are left.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until SIGTERM or SIGINT, and then until what it has is finished.
pub fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), String> {
    let variable = |name: &str| std::env::var(name).ok();
    let settings = Settings::read(std::env::args_os().skip(2), variable)?;
    let folder = settings.folder.display();
    let site =
        Site::open(&settings.folder).map_err(|error| format!("cannot serve {folder}: {error}"))?;
    let sentence = |what: &'static str| move |error: io::Error| format!("cannot {what}: {error}");
    // Before there are threads.
    let signals =
        Signals::block(&[Signal::TERM, Signal::INT]).map_err(sentence("wait for signals"))?;
    let socket = claim_inherited(LISTEN_FD)
        .map_err(|error| format!("there is no socket: {error}; start it with `rota serve`"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(sentence("set up"))?;
    let server = Arc::new(Server { site, settings });
    let run = async {
        let socket = StdListener::from(socket);
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from_std(socket)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; the descriptor is not replaced"
        )]
        let signals =
            AsyncFd::with_interest(signals.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
        notify("READY=1");
        run(server, listener, &signals).await;
        Ok(())
    };
    tokio::task::LocalSet::new()
        .block_on(&runtime, run)
        .map_err(sentence("serve"))
}

async fn run(server: Arc<Server>, listener: TcpListener, signals: &AsyncFd<std::os::fd::OwnedFd>) {
    let (end, ending) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut asked = pin!(signals.readable());
    loop {
        tokio::select! {
            _ = &mut asked => break,
            accepted = listener.accept(), if connections.len() < MOST => match accepted {
                Ok((stream, _)) => {
                    connections.spawn_local(connection(Arc::clone(&server), stream, ending.clone()));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    notify("STOPPING=1");
    // The queue is the next worker's.
    drop(listener);
    // They are all told, or have gone.
    let _ = end.send(true);
    while connections.join_next().await.is_some() {}
}

async fn connection(server: Arc<Server>, stream: TcpStream, mut ending: watch::Receiver<bool>) {
    // Small answers are not to wait for more.
    let _ = stream.set_nodelay(true);
    let first = Notify::new();
    let service = service_fn(|request: Request<Incoming>| {
        first.notify_one();
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(answer(server, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(Clock)
        .header_read_timeout(PATIENCE)
        .serve_connection(HyperIo::new(stream), service);
    let mut connection = pin!(connection);
    // A caller that breaks off is its own affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = ending.wait_for(|ending| *ending) => {}
    }
    // One that has just been accepted has its first request on the way: closed now, it would be lost.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = first.notified() => {}
        () = tokio::time::sleep(FIRST) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn answer(server: Arc<Server>, request: Request<Incoming>) -> Response<Answer> {
    let (head, _) = request.into_parts();
    let work = move || {
        server.answer(&Asked {
            method: &head.method,
            uri: &head.uri,
            headers: &head.headers,
        })
    };
    spawn_blocking(work).await.unwrap_or_else(|_| {
        let mut response = Response::new(Answer::text(""));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// Tells rota.
fn notify(text: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to(text.as_bytes(), path));
    if let Err(error) = sent {
        eprintln!("error: cannot tell rota {text}: {error}");
    }
}

/// Time, for hyper.
#[derive(Debug)]
struct Clock;

struct Nap(Pin<Box<tokio::time::Sleep>>);

impl Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Nap(Box::pin(tokio::time::sleep(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Nap(Box::pin(tokio::time::sleep_until(deadline.into()))))
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        *sleep = self.sleep_until(new_deadline);
    }
}

impl Future for Nap {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl Sleep for Nap {}
