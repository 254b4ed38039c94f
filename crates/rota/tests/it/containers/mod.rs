//! `rota run` as the process of a container: process 1, with a time to end, an exit code, and addresses for probes.

mod ends;
mod health;
mod process1;
