//! A supervisor that begins comes before the workers.
//!
//! While there is none, new connections wait in the kernel and commands get no answer. On processors that have no time to
//! spare its start would have to queue with every worker that is busy. As in [`crate::courtesy`], a control group has a
//! weight, and elsewhere the kernel shares out processors by session. To get more than others takes root there
//! (CAP_SYS_NICE); whoever may not have it waits for its turn.

use std::ffi::OsStr;
use std::time::Duration;

use rota_sys::cgroup::{self, Group};
use rota_sys::sched::set_session_nice;

use crate::courtesy::{WEIGHT, weigh};

/// Nine times what a session gets that asks for as much.
const NICE: i32 = -10;

/// What a group has to begin with, and what rota's own has meanwhile.
const WEIGHTS: (u64, u64) = (100, 1000);

/// The group that the keeper has made for itself and us (rota-keeper, `groups`).
const OWN_GROUP: &str = "daemon";

/// What has waited for us is done by then.
const A_MOMENT: Duration = Duration::from_millis(250);

/// Lasts until it is dropped. If we die before that, the next supervisor takes it over and back.
#[derive(Debug)]
pub(crate) struct Precedence {
    group: Option<Group>,
    session: Option<u32>,
}

impl Precedence {
    /// Takes it, as far as it may be had.
    pub(crate) fn take() -> Self {
        let group = own_group();
        // Without the controller, or the right, everybody has the same.
        let _ = weigh(group.as_ref(), WEIGHTS.1);
        let session = own_session().filter(|pid| set_session_nice(*pid, NICE).is_ok());
        Self { group, session }
    }

    /// Gives it back in a moment.
    pub(crate) fn end_soon(self) {
        tokio::task::spawn_local(async move {
            tokio::time::sleep(A_MOMENT).await;
            drop(self);
        });
    }
}

impl Drop for Precedence {
    fn drop(&mut self) {
        let _ = weigh(self.group.as_ref(), WEIGHTS.0);
        if let Some(pid) = self.session {
            // What was allowed before is allowed still.
            let _ = set_session_nice(pid, 0);
        }
    }
}

/// Not when it is the group of somebody else, too: then what it weighs is not ours to say.
fn own_group() -> Option<Group> {
    let path = cgroup::own().ok()?;
    let name = |path: Option<&OsStr>| path.and_then(OsStr::to_str).unwrap_or_default().to_owned();
    let ours = name(path.file_name()) == OWN_GROUP
        && name(path.parent().and_then(|top| top.file_name())).starts_with("rota-");
    let group = Group::at(path);
    (ours && group.has(WEIGHT)).then_some(group)
}

/// Ourselves, if the session is the keeper's own: that of `rota run` is the terminal's.
fn own_session() -> Option<u32> {
    let own = std::process::id();
    let stat = rota_sys::procfs::stat(own).ok()?;
    (stat.session == stat.parent).then_some(own)
}
