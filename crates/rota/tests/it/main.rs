//! rota as its users meet it: the binary, real Node workers, real servers. Each test has a daemon of its own.
//!
//! One test binary, not one per subject: it is linked once, and its tests run side by side.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod adoption;
mod asking_again;
mod balance;
mod boot;
mod cgroups;
mod chaos;
mod cli;
mod cli_errors;
mod cli_flags;
mod cli_output;
mod cluster;
mod cluster_errors;
mod cluster_listen;
mod completions;
mod config;
mod containers;
mod courtesy;
mod cron;
mod drain;
mod drained;
mod figures;
mod foreign;
mod guard_loss;
mod hang;
mod hostile;
mod invisible;
mod last_words;
mod lifecycle;
mod limits;
mod listen_fds;
mod logs;
mod loss;
mod notify;
mod pm2;
mod profile;
mod programs;
mod proxies;
mod reload;
mod reload_bad;
mod security;
mod serve;
mod servers;
mod shortage;
mod siege;
mod signals;
mod slow_readers;
mod soak;
mod stack;
mod starting;
mod stdin;
mod stop;
mod support;
mod survivors;
mod targets;
mod test_reload;
mod upgrade;
mod versions;
mod watch;
