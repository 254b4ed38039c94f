//! Control groups, version 2: where this process is, and one group as a thing that can be filled, limited, killed
//! and removed.
//!
//! Everything here is files below a directory. Nothing asks whether that is the kernel's own file system, so a
//! folder that looks like one will do for a test of what is written where. Files are opened with `O_CREAT` for
//! that reason: the kernel's has all the files that it will ever have, and refuses to make others.

mod find;
mod group;

pub use find::{Absent, own, parents};
pub use group::{Events, Group};
