//! The API server: HTTP/1.1 with JSON over the Unix socket. `docs/api.md` describes it for people.

mod http;
mod logs;
mod routes;
mod server;

pub use http::LineSender;
pub(crate) use server::{Connections, serve};
