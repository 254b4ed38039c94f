//! `rota __serve`: static files, as a worker of `rota serve`.
//!
//! A program like any other to the rest of rota: it finds its socket as LISTEN_FDS says, tells that it is ready by
//! `sd_notify`, and finishes what it has at SIGTERM.
//!
//! - `settings`: what it is told;
//! - `site`: finding the file that a path means, and nothing outside the folder;
//! - `answer`: from a request to a response;
//! - `conditions`: `If-…`, ranges, encodings;
//! - `listing`: what is in a folder;
//! - `body`: a file on its way;
//! - `server`: connections.

mod answer;
mod body;
mod conditions;
mod listing;
mod server;
mod settings;
mod site;

pub use server::main;
pub use settings::{PASSWORD, USERNAME, VERB};
