//! Configuration files on the command line.

mod apply;
mod end;
mod load;
mod renew;
mod start;
mod tell;

pub(super) use apply::apply;
pub(super) use end::end;
pub(super) use load::{DEFAULT, describe, here, named, only};
pub(super) use renew::renew;
pub(super) use start::{boot, start};
pub(super) use tell::{as_json, show, warn};
