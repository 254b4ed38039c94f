//! Watching files: who changes them, and when that is over.
//!
//! Each watched app has a thread of its own, which sleeps in `poll(2)`: walking through a large project must not keep
//! the supervisor from its work. `tree` has the kernel's word (inotify), `polling` looks by itself where the kernel
//! has no room for more watches, `rules` says what does not count, `watcher` waits until a burst is over.

mod burst;
mod polling;
mod rules;
mod tree;
mod walk;
mod watcher;

pub(crate) use rules::Rules;
pub(crate) use watcher::{Handle, Order, Report, start};
