//! `/livez` and `/readyz`, for orchestrators.
//!
//! Anybody may ask, so there is little to ask: two paths, one request per connection, small heads, and a time for all of
//! it. The socket lies with the keeper, so that a new supervisor answers on it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use rota_api::HyperIo;
use rota_engine::{AppStatus, AppView};
use rota_sys::net::{InetOptions, listen_tcp};
use tokio::net::{TcpListener, TcpStream};

use crate::supervisor::{State, Supervisor};

/// The keeper's name for the socket.
pub(crate) const HEALTH_KEY: &str = "health";
/// Probes come one by one.
const BACKLOG: i32 = 64;
/// How many are answered at a time; the next is closed.
const MOST: usize = 64;
/// How long a caller may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head, in bytes; hyper wants no less.
const HEAD: usize = 8 * 1024;
/// After a failed accept: no descriptors are left.
const PAUSE: Duration = Duration::from_millis(50);

impl Supervisor {
    /// Answers, if that was asked for; `left` is the socket of the supervisor before.
    pub(crate) fn serve_health(self: &Rc<Self>, left: Option<OwnedFd>) {
        let Some(address) = self.run.health else {
            return;
        };
        let listener = left.map_or_else(|| self.bind_health(address), Ok);
        match listener.and_then(listener_of) {
            Ok(listener) => {
                tokio::task::spawn_local(Rc::clone(self).answer_health(listener));
            }
            Err(error) => {
                self.say(&format!(
                    "error: cannot answer on --health {address}: {error}"
                ));
                // Nobody would ever find it ready.
                self.end(1);
            }
        }
    }

    fn bind_health(&self, address: SocketAddr) -> io::Result<OwnedFd> {
        let socket = listen_tcp(&InetOptions::new(address), BACKLOG)?;
        self.keeper
            .put(HEALTH_KEY, Vec::new(), vec![socket.try_clone()?]);
        Ok(socket)
    }

    async fn answer_health(self: Rc<Self>, listener: TcpListener) {
        let open = Rc::new(());
        loop {
            match listener.accept().await {
                Ok((stream, _)) if Rc::strong_count(&open) <= MOST => {
                    let (this, open) = (Rc::clone(&self), Rc::clone(&open));
                    tokio::task::spawn_local(async move {
                        // Who is too slow has its answer: none.
                        let _ = tokio::time::timeout(PATIENCE, this.answer_one(stream)).await;
                        drop(open);
                    });
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn answer_one(&self, stream: TcpStream) {
        let service = service_fn(|request: Request<hyper::body::Incoming>| {
            let answer = self.with(|state| answer(state, request.method(), request.uri().path()));
            async move { Ok::<_, Infallible>(answer) }
        });
        // A caller that breaks off, or sends what is no request.
        let _ = http1::Builder::new()
            .keep_alive(false)
            .max_buf_size(HEAD)
            .serve_connection(HyperIo::new(stream), service)
            .await;
    }
}

fn listener_of(socket: OwnedFd) -> io::Result<TcpListener> {
    let socket = std::net::TcpListener::from(socket);
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

fn answer(state: &State, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let known = matches!(path, "/livez" | "/readyz");
    let (status, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") => readiness(state),
        _ if known => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
        _ => (StatusCode::NOT_FOUND, String::new()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let value = hyper::header::HeaderValue::from_static;
    headers.insert(CONTENT_TYPE, value("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, value("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, value("GET, HEAD"));
    }
    response
}

/// Every app that is to run serves, and has been started whole; nothing is being stopped.
fn readiness(state: &State) -> (StatusCode, String) {
    let no = |text: String| (StatusCode::SERVICE_UNAVAILABLE, text);
    if state.stopping {
        return no("stopping\n".to_owned());
    }
    let wanted = |app: &AppView<'_>| app.slots.iter().any(|slot| slot.wanted);
    let apps: Vec<_> = state.engine.apps().filter(wanted).collect();
    if apps.is_empty() {
        return no("no app is to run\n".to_owned());
    }
    let missing = apps
        .iter()
        .filter(|app| !matches!(app.status, AppStatus::Online | AppStatus::Reloading));
    let names: Vec<String> = missing
        .map(|app| format!("{}: not ready\n", state.app_name(app.app)))
        .collect();
    match names.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => no(names.concat()),
    }
}
