//! The dispatcher as the primary of real Node processes.
//!
//! Each worker is spawned here, with its end of the channel as descriptor 0. Node is `node` from the
//! path and every binary that `ROTA_TEST_NODES` lists, separated by colons.

mod balance;
mod cost;
mod handover;
mod hostile;
mod keeping;
mod leaving;
mod listening;
mod messages;
mod support;
mod takeover;
mod takeover_lines;
