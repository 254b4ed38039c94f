//! What the next daemon finds if the keeper is killed, and everything that it kept is gone.
//!
//! Two files in `ROTA_HOME`, replaced as a whole whenever what they say changes, by a thread that nobody waits for:
//! `apps.json`, what is to run, with the environments of the apps, and so with their secrets; and `workers.json`, which
//! processes do. The first is on the disk when it is written. The second means nothing after the machine has started
//! anew, and is left to the kernel. A daemon that ends as it should removes both.

mod files;
mod form;
mod write;

pub(crate) use files::read;
pub(crate) use form::{DesiredApp, Identity, Trace, WorkersFile, apps_from};
pub(crate) use write::Recorder;
