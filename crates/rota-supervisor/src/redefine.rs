//! Other settings for workers that run.

use std::rc::Rc;

use rota_engine::{AppId, Generation};

use crate::supervisor::Supervisor;

impl Supervisor {
    /// The engine has given an app other settings: from now on its workers of that generation are treated by them.
    /// What only a new process can be told (the agent's own orders for the death of every process of rota) stays.
    pub(crate) fn take_settings_over(self: &Rc<Self>, app: AppId, generation: Generation) {
        let changed = self.with(|state| {
            let prepared = state.apps.get(&app)?.prepared(generation).cloned()?;
            let (mut changed, mut redirected) = (Vec::new(), false);
            for (&id, worker) in &mut state.workers {
                let view = state.engine.worker(rota_engine::WorkerId(id));
                let meant =
                    view.is_some_and(|view| view.app == app && view.generation == generation);
                if !meant || worker.generation == generation {
                    continue;
                }
                let (old, new) = (&worker.prepared.spec, &prepared.spec);
                let limits = worker.limits.redraw(&old.limits, &new.limits);
                let pulse = old.agent != new.agent;
                if old.logs != new.logs {
                    for reader in &worker.output {
                        self.logs.redirect(reader, &new.logs, &new.cwd);
                    }
                    redirected = true;
                }
                worker.generation = generation;
                worker.prepared = Rc::clone(&prepared);
                changed.push((id, limits, pulse));
            }
            let files = redirected.then(|| prepared.spec.name.to_string());
            Some((changed, files))
        });
        let (changed, files) = changed.unwrap_or_default();
        if let Some(name) = files {
            self.logs.release_files(&name);
        }
        for (worker, limits, pulse) in changed {
            self.save_worker(worker);
            if limits {
                self.watch_limits(worker);
            }
            if pulse {
                self.stop_pulse(worker);
                self.start_pulse(worker);
            }
        }
        self.save_app(app);
    }
}
