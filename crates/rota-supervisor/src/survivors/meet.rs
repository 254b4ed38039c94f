//! What is done with survivors before the daemon begins.

use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::find::{Found, find};
use super::{Survivor, leave, sockets};
use crate::supervisor::Supervisor;

/// How long the supervisor of a dead keeper may take to end by itself.
const HELPERS: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Finds what a daemon before has left behind, and ends what cannot stay. With the same keeper as before it finds
    /// those that had not gone when the supervisor before this one died.
    pub(crate) async fn meet_survivors(self: &Rc<Self>) {
        let Some(mark) = self.record.mark() else {
            return;
        };
        let mut found = find(&self.home, mark);
        for complaint in &found.complaints {
            self.say(complaint);
        }
        // Workers do not know that they are alone as long as it holds their channels.
        leave::end(&found.helpers, HELPERS).await;
        self.tell_found(&found);
        let (stay, go) = self.sort(std::mem::take(&mut found.survivors));
        let served = go.iter().filter(|one| one.trace.serves);
        let interrupted = served.map(|one| one.trace.app.clone()).collect();
        self.clear(go, &stay, &found.marks).await;
        self.with(|state| {
            let survivors = &mut state.survivors;
            survivors.list = stay;
            survivors.interrupted = interrupted;
            survivors.pending = found.apps;
        });
        self.record.touch();
    }

    fn tell_found(&self, found: &Found) {
        if found.marks.is_empty() || found.survivors.is_empty() {
            return;
        }
        let apps: BTreeSet<&str> = found
            .survivors
            .iter()
            .map(|one| one.trace.app.as_str())
            .collect();
        for app in apps {
            let of = || found.survivors.iter().filter(|one| one.trace.app == app);
            let serving = of().filter(|one| one.trace.serves).count();
            let pids: Vec<String> = of().map(|one| one.trace.process.pid.to_string()).collect();
            let what = if serving > 0 {
                "still serve"
            } else {
                "are still there"
            };
            self.say(&format!(
                "{app}: the daemon before was killed; {} of its workers {what} (pid {})",
                pids.len(),
                pids.join(", ")
            ));
        }
    }

    /// Those that stay until others have taken their place, and those that go at once. Takes copies of the sockets of
    /// the former.
    fn sort(&self, survivors: Vec<Survivor>) -> (Vec<Survivor>, Vec<Survivor>) {
        let may_stay = |one: &Survivor| one.trace.serves && one.trace.beside;
        let (mut stay, mut go): (Vec<_>, Vec<_>) = survivors.into_iter().partition(may_stay);
        let apps: BTreeSet<String> = stay.iter().map(|one| one.trace.app.clone()).collect();
        for app in apps {
            let of = || stay.iter().filter(|one| one.trace.app == app);
            let shared = of().any(|one| !one.trace.own_socket);
            match sockets::copies(of()) {
                Ok(copies) => self.with(|state| {
                    state.survivors.sockets.insert(app, copies);
                }),
                Err(error) if shared => {
                    self.say(&no_copies(&app, &error));
                    let moved = |one: &mut Survivor| one.trace.app == app;
                    go.extend(stay.extract_if(.., moved));
                }
                Err(_) => self.with(|state| {
                    state.survivors.beside.insert(app);
                }),
            }
        }
        (stay, go)
    }

    /// Ends those that go, and what is left of those that have ended.
    async fn clear(&self, go: Vec<Survivor>, stay: &[Survivor], marks: &[String]) {
        let count = go.len();
        if count > 0 {
            let killed = leave::see_off(go, || false).await;
            self.say(&format!(
                "{count} workers of the daemon before have been ended{killed}"
            ));
        }
        if marks.is_empty() {
            return;
        }
        let strays = leave::sweep(|mark| {
            let of_them = |keeper: &String| {
                let rest = mark.strip_prefix(keeper.as_bytes());
                rest.is_some_and(|rest| rest.starts_with(b":"))
            };
            let stays = |one: &Survivor| one.trace.mark.as_bytes() == mark;
            marks.iter().any(of_them) && !stay.iter().any(stays)
        });
        if strays > 0 {
            self.say(&format!(
                "{strays} processes that ended workers of the daemon before had left behind are killed"
            ));
        }
    }
}

fn no_copies(app: &str, error: &io::Error) -> String {
    format!(
        "{app}: the sockets of its old workers cannot be taken over ({error}; is kernel.yama.ptrace_scope set?): they end before new ones begin"
    )
}
