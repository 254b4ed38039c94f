//! A control group (version 2) for each child, where the keeper may make them.
//!
//! ```text
//! BASE                        the group that rota was started in, or the one that ROTA_CGROUP names
//!   rota-HASH-PID             this keeper's; HASH is of its home
//!     daemon                  rota's own processes, where controllers are on: groups that pass controllers on have
//!                             no processes of their own
//!     LABEL-KEY               a child with everything that it starts
//! ```
//!
//! What is there is used, step by step: nothing, and children are held by process group and session; groups without
//! controllers, for exact kills; controllers too, for limits and figures. Processes that are not rota's are never
//! moved, and a group in which there are any passes no controllers on.
//!
//! - `place`: making that directory and removing it; `controllers`: turning them on and off
//! - `table`: the groups of children

mod controllers;
mod place;
mod saved;
mod table;

pub use place::{Where, group_prefix};
pub(crate) use saved::SavedGroups;
pub(crate) use table::{Groups, NoGroup};
