//! Apps that are started anew at times.

use std::rc::Rc;
use std::time::Duration;

use rota_config::{AppSpec, CronSpec, Due, Timetable};
use rota_engine::AppId;
use tokio::task::JoinHandle;

use super::clock::{self, Woken};
use crate::supervisor::{Supervisor, unix_millis};
use crate::words;

/// A time that is further back than this was missed: the machine was asleep. It is not made up for.
const MISSED: Duration = Duration::from_secs(60);
/// Where the kernel has no timer for us, the clock is looked at so often.
const LOOK: Duration = Duration::from_secs(1);

/// A schedule that is kept.
#[derive(Debug)]
pub(super) struct Schedule {
    spec: CronSpec,
    pub(super) next: Option<Due>,
    pub(super) trouble: Option<String>,
    task: Option<JoinHandle<()>>,
}

impl Drop for Schedule {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Supervisor {
    /// Keeps an app's schedule, or does so no more.
    pub(super) fn tend_schedule(self: &Rc<Self>, app: AppId, spec: Option<&AppSpec>) {
        let wanted = spec.and_then(|spec| spec.cron.as_ref());
        let kept = self.with(|state| {
            let schedules = &mut state.renewals.schedules;
            let same = schedules.get(&app).map(|kept| Some(&kept.spec) == wanted);
            if same == Some(false) {
                schedules.remove(&app);
            }
            same == Some(true)
        });
        let Some(cron) = wanted.filter(|_| !kept) else {
            return;
        };
        let mut schedule = Schedule {
            spec: cron.clone(),
            next: None,
            trouble: None,
            task: None,
        };
        match cron.timetable() {
            Ok(timetable) => {
                schedule.next = timetable.after(unix_millis());
                let this = Rc::clone(self);
                let cron = cron.clone();
                schedule.task = Some(tokio::task::spawn_local(async move {
                    this.keep_times(app, &cron, &timetable).await;
                }));
            }
            // It was in order when the app was started; the zones of the machine may have changed.
            Err(error) => {
                let name = self.with(|state| state.app_name(app));
                self.say(&format!("{name}: its schedule is not kept: {error}"));
                schedule.trouble = Some(error.to_string());
            }
        }
        self.with(|state| state.renewals.schedules.insert(app, schedule));
    }

    async fn keep_times(self: Rc<Self>, app: AppId, cron: &CronSpec, timetable: &Timetable) {
        loop {
            let next = timetable.after(unix_millis());
            self.with(|state| {
                if let Some(kept) = state.renewals.schedules.get_mut(&app) {
                    kept.next.clone_from(&next);
                }
            });
            let Some(due) = next else { return };
            match clock::until(due.at).await {
                Ok(Woken::Due) => {}
                Ok(Woken::Reset) => continue,
                Err(_) => {
                    tokio::time::sleep(LOOK).await;
                    if unix_millis() < due.at {
                        continue;
                    }
                }
            }
            let late = Duration::from_millis(unix_millis().saturating_sub(due.at));
            if late > MISSED {
                let name = self.with(|state| state.app_name(app));
                let late = words::span(late);
                self.say(&format!(
                    "{name}: {} was missed by {late}, which is not made up for",
                    due.text
                ));
                continue;
            }
            self.renew(app, cron.action, &format!("it is {}", due.text));
        }
    }
}
