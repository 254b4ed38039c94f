//! What the next daemon finds: after a reboot, after an end by `rota kill` or a signal, and if the keeper is killed and
//! everything that it kept is gone.
//!
//! Two files in `ROTA_HOME`, replaced as a whole whenever what they say changes, by a thread that nobody waits for:
//! `apps.json`, what is to run, with the environments of the apps, and so with their secrets; and `workers.json`, which
//! processes do. The first is on the disk when it is written. The second means nothing after the machine has started
//! anew, is left to the kernel, and is removed by a daemon that ends as it should. The first stays: it says what ran.

mod files;
mod form;
mod write;

pub(crate) use files::read;
pub(crate) use form::{AppsFile, DesiredApp, Identity, Trace, WorkersFile};
pub(crate) use write::Recorder;
