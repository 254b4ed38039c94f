//! rota as its users meet it: the binary, real Node workers, real servers. Each test has a daemon of its own.
//!
//! One test binary, not one per subject: it is linked once, and its tests run side by side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod balance;
mod cli;
mod cli_errors;
mod cli_flags;
mod cli_output;
mod cluster;
mod cluster_errors;
mod cluster_listen;
mod hostile;
mod lifecycle;
mod listen_fds;
mod loss;
mod notify;
mod programs;
mod reload;
mod reload_bad;
mod servers;
mod siege;
mod signals;
mod stop;
mod support;
mod versions;
