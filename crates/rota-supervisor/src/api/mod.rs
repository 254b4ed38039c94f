//! The API server: HTTP/1.1 with JSON over the Unix socket. `docs/api.md` describes it for people.

mod again;
mod http;
mod logs;
mod routes;
mod server;

pub use http::LineSender;
#[cfg(test)]
pub(crate) use http::{Answer, AnswerBody, stream};
pub(crate) use server::{Connections, serve};
