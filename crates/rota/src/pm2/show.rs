//! Verbs that show what there is.

use rota_api::{AppView, EnvVariable, ExitCode};
use serde_json::Value;

use super::objects::{Shown, Source, rows, status};
use super::run::Pm2;
use super::select::select;
use crate::args::DescribeArgs;
use crate::cmd::describe;
use crate::failure::{Done, Failure, Stop};
use crate::output::{bytes, clean, span};

impl Pm2<'_> {
    pub(super) fn list(&self) -> Done {
        if self.flags.mini_list {
            return self.mini_list();
        }
        match self.flags.sort.as_deref() {
            None => self.table()?,
            Some(order) => self.sorted(order)?,
        }
        Ok(ExitCode::Ok)
    }

    fn sorted(&self, order: &str) -> Result<(), Stop> {
        let (field, falling) = match order.split_once(':') {
            Some((field, direction)) => (field, direction == "desc"),
            None => (order, false),
        };
        let mut apps = self.context.block_on(self.apps())?;
        let sum = |app: &AppView, of: &dyn Fn(&rota_api::WorkerView) -> f64| -> f64 {
            app.workers.iter().map(of).sum()
        };
        let number = |app: &AppView| match field {
            "memory" => sum(app, &|worker| worker.memory.unwrap_or(0) as f64),
            "cpu" => sum(app, &|worker| worker.cpu.unwrap_or(0.0)),
            "restart" | "restarts" => sum(app, &|worker| f64::from(worker.restarts)),
            "uptime" => sum(app, &|worker| worker.uptime_ms.unwrap_or(0) as f64),
            "pid" => sum(app, &|worker| f64::from(worker.pid.unwrap_or(0))),
            _ => sum(app, &|worker| f64::from(worker.id)),
        };
        match field {
            "name" => apps.sort_by(|a, b| a.name.cmp(&b.name)),
            "namespace" => apps.sort_by(|a, b| a.namespace.cmp(&b.namespace)),
            _ => apps.sort_by(|a, b| number(a).total_cmp(&number(b))),
        }
        if falling {
            apps.reverse();
        }
        let mut out = self.context.out();
        for line in crate::cmd::list::table(&apps, out.paint).render(out.paint) {
            out.line(&line)?;
        }
        out.flush()
    }

    fn mini_list(&self) -> Done {
        let apps = self.context.block_on(self.apps())?;
        let mut out = self.context.out();
        for app in &apps {
            for worker in rows(app) {
                let pid = worker
                    .pid
                    .map_or_else(|| "N/A".to_owned(), |pid| pid.to_string());
                out.line(&format!("+--- {}", clean(&app.name)))?;
                out.line(&format!("namespace : {}", clean(&app.namespace)))?;
                out.line(&format!("pid : {pid}"))?;
                out.line(&format!("pm2 id : {}", worker.id))?;
                out.line(&format!("status : {}", status(worker.status)))?;
                out.line(&format!("mode : {}", app.mode))?;
                out.line(&format!("restarted : {}", worker.restarts))?;
                if let Some(uptime) = worker.uptime_ms {
                    out.line(&format!("uptime : {}", span(uptime)))?;
                }
                if let Some(memory) = worker.memory {
                    out.line(&format!("memory usage : {}", bytes(memory)))?;
                }
                out.line("")?;
            }
        }
        out.flush()?;
        Ok(ExitCode::Ok)
    }

    pub(super) fn jlist(&self, indented: bool) -> Done {
        let objects = self.context.block_on(self.objects())?;
        let mut out = self.context.out();
        match indented {
            true => out.pretty_json(&objects)?,
            false => out.json(&objects)?,
        }
        out.flush()?;
        Ok(ExitCode::Ok)
    }

    /// An object for each worker.
    async fn objects(&self) -> Result<Vec<Value>, Stop> {
        let mut objects = Vec::new();
        let shown = Shown::from_env();
        for app in self.apps().await? {
            let env = self.env_of(&app.name, shown == Shown::All).await?;
            let spec = self.spec_of(&app.name).await?;
            let source = Source {
                app: &app,
                env: &env,
                spec: &spec,
                pm2_home: &self.pm2_home,
                shown,
            };
            objects.extend(source.objects());
        }
        objects.sort_by_key(|object| object["pm_id"].as_u64());
        Ok(objects)
    }

    pub(super) fn describe(&self) -> Done {
        let words = self.needed("a target (id or name)")?;
        let targets = self.context.block_on(async {
            let chosen = select(words, &self.apps().await?)?;
            Ok(chosen.targets())
        })?;
        let args = DescribeArgs {
            targets,
            json: false,
        };
        describe::run(self.context, &args)
    }

    pub(super) fn env(&self) -> Done {
        let [word] = self.needed("the id of a worker")? else {
            return Err(Failure::usage("env shows one worker: `pm2 env 0`").into());
        };
        let shown = Shown::from_env();
        let answer = self.context.block_on(async {
            let chosen = select(std::slice::from_ref(word), &self.apps().await?)?;
            let target = chosen.targets().into_iter().next().unwrap_or_default();
            self.env_of(&target, shown == Shown::All).await
        })?;
        let mut out = self.context.out();
        for EnvVariable { name, value, .. } in &answer.variables {
            let value = value.as_deref().unwrap_or("(hidden)");
            out.line(&format!("{}: {}", clean(name), clean(value)))?;
        }
        out.flush()?;
        Ok(ExitCode::Ok)
    }

    /// The processes of an app, or of all; an empty line for what is not there.
    pub(super) fn pid(&self) -> Done {
        let apps = self.context.block_on(self.apps())?;
        let words = self.flags.targets();
        let everything = ["all".to_owned()];
        let words = if words.is_empty() {
            &everything[..]
        } else {
            words
        };
        let chosen = select(words, &apps).ok();
        let mut out = self.context.out();
        let mut some = false;
        for app in &apps {
            for worker in rows(app) {
                let meant = chosen.as_ref().is_some_and(|chosen| {
                    chosen.apps.contains(&app.name) || chosen.ids.contains(&worker.id)
                });
                if meant {
                    out.line(&worker.pid.unwrap_or(0).to_string())?;
                    some = true;
                }
            }
        }
        if !some {
            out.line("")?;
        }
        out.flush()?;
        Ok(ExitCode::Ok)
    }

    /// The ids of an app's workers.
    pub(super) fn id(&self) -> Done {
        let name = &self.needed("the name of an app")?[0];
        let apps = self.context.block_on(self.apps())?;
        let ids = apps.iter().filter(|app| app.name == *name).flat_map(rows);
        let ids: Vec<String> = ids.map(|worker| worker.id.to_string()).collect();
        let text = match ids.is_empty() {
            true => "[]".to_owned(),
            false => format!("[ {} ]", ids.join(", ")),
        };
        let mut out = self.context.out();
        out.line(&text)?;
        out.flush()?;
        Ok(ExitCode::Ok)
    }
}
