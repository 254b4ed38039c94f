//! Workers that hang: where they are, and their end.

use std::rc::Rc;
use std::time::Duration;

use rota_engine::{Event, PulseSettings, WorkerId};

use crate::supervisor::Supervisor;
use crate::words;

/// How long the verdict may wait for a stack that is still being looked for.
const LAST_MOMENT: Duration = Duration::from_millis(500);
/// After a look at its stack a worker that was only slow answers within this time.
const LAST_ANSWER: Duration = Duration::from_millis(100);

/// What is known of a worker that has not answered for most of its limit.
#[derive(Debug)]
pub(super) enum Suspicion {
    /// Its stack is being looked for; with the verdict, if it was faster.
    Looking {
        /// For how long it had not answered, once it hung.
        hung: Option<Duration>,
    },
    /// Its stack, or why there is none.
    Seen(Result<Vec<String>, String>),
}

impl Supervisor {
    /// A worker will soon be found to hang: looks where it is while it is there to be asked.
    pub(super) fn suspect(self: &Rc<Self>, worker: u64) {
        if self.is_debugged(worker) {
            return self.shield(worker, true);
        }
        let head_start = self.with(|state| {
            let entry = state.workers.get_mut(&worker)?;
            entry.agent.pulse.suspicion = Some(Suspicion::Looking { hung: None });
            if entry.agent.pulse.looked_for {
                // It has had its time once: the verdict must not wait longer than a supervisor lives.
                return Some(Duration::ZERO);
            }
            let agent = &entry.prepared.spec.agent;
            let settings = PulseSettings::new(
                agent.interval.duration(),
                agent.timeout.duration(),
                agent.misses,
            );
            Some(settings.limit()?.saturating_sub(settings.suspicion()?))
        });
        let Some(head_start) = head_start else { return };
        // An inspector that we open and do not live to close is not a user's.
        self.save_worker(worker);
        let limit = head_start + LAST_MOMENT;
        let this = Rc::clone(self);
        let task = tokio::task::spawn_local(async move {
            let stack = tokio::time::timeout(limit, this.capture_stack(worker, limit)).await;
            let stack = stack.unwrap_or_else(|_| Err("it did not say where it is".to_owned()));
            if let Some(silent) = this.seen(worker, stack) {
                tokio::time::sleep(LAST_ANSWER).await;
                this.condemn(worker, silent);
            }
        });
        self.update(worker, |w| w.tasks.push(task));
    }

    /// The search for a stack has ended. Says for how long the worker had not answered if it has been found
    /// to hang by now.
    fn seen(&self, worker: u64, stack: Result<Vec<String>, String>) -> Option<Duration> {
        self.with(|state| {
            let suspicion = &mut state.workers.get_mut(&worker)?.agent.pulse.suspicion;
            // It may have answered in the meantime.
            let Some(Suspicion::Looking { hung }) = suspicion else {
                return None;
            };
            let hung = *hung;
            *suspicion = Some(Suspicion::Seen(stack));
            hung
        })
    }

    /// A worker hangs: as soon as the search for its stack has ended it is replaced.
    pub(super) fn condemn(self: &Rc<Self>, worker: u64, silent: Duration) {
        if self.is_debugged(worker) || !self.heart.with(|pulses| pulses.hangs(WorkerId(worker))) {
            return;
        }
        let stack = self.with(|state| {
            let suspicion = &mut state.workers.get_mut(&worker)?.agent.pulse.suspicion;
            match suspicion.take() {
                Some(Suspicion::Looking { .. }) => {
                    *suspicion = Some(Suspicion::Looking { hung: Some(silent) });
                    None
                }
                Some(Suspicion::Seen(stack)) => Some(stack),
                None => Some(Err("it was not looked for".to_owned())),
            }
        });
        let Some(stack) = stack else { return };
        let reason = reason(silent, &stack);
        self.update(worker, |w| w.agent.pulse.verdict = Some(stack));
        self.stop_pulse(worker);
        self.feed(Event::Hung {
            worker: WorkerId(worker),
            reason,
        });
    }

    /// Where a worker hung: its stack, and why there is none.
    pub(crate) fn hung_at(&self, worker: u64) -> (Vec<String>, Option<String>) {
        let verdict = self.with(|state| {
            let pulse = &mut state.workers.get_mut(&worker)?.agent.pulse;
            pulse.verdict.take()
        });
        match verdict {
            Some(Ok(stack)) => (stack, None),
            Some(Err(why)) => (Vec::new(), Some(why)),
            None => (Vec::new(), None),
        }
    }
}

/// `no answer for 12s, in spinForever (/srv/app.js:37:5)`.
fn reason(silent: Duration, stack: &Result<Vec<String>, String>) -> String {
    let silent = words::span(silent);
    match stack.as_ref().map(|stack| stack.first()) {
        Ok(Some(innermost)) => format!("no answer for {silent}, in {innermost}"),
        Ok(None) => format!("no answer for {silent}"),
        Err(why) => format!("no answer for {silent}; where it was is not known: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_the_innermost_function_or_why_there_is_none() {
        let silent = Duration::from_millis(12_040);
        let stack = vec!["spin (/srv/app.js:3:5)".to_owned(), "main".to_owned()];
        assert_eq!(
            reason(silent, &Ok(stack)),
            "no answer for 12s, in spin (/srv/app.js:3:5)"
        );
        assert_eq!(
            reason(silent, &Err("native code".to_owned())),
            "no answer for 12s; where it was is not known: native code"
        );
        assert_eq!(reason(silent, &Ok(Vec::new())), "no answer for 12s");
    }
}
