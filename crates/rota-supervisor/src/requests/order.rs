//! Which of several apps comes first, and whom an app waits for.

use std::collections::BTreeMap;
use std::rc::Rc;

use rota_api::{Progress, ProgressKind};
use rota_config::AppSpec;
use rota_config::file::waves;
use rota_engine::{AppId, Command};

use super::start::find;
use crate::supervisor::{State, Supervisor};

/// Puts things about apps into the order of their dependencies: what others depend on comes first. What does not depend on
/// each other stays as it was; what depends on itself comes as it was, too.
pub(super) fn in_order<T>(things: Vec<T>, spec: impl Fn(&T) -> Option<Rc<AppSpec>>) -> Vec<T> {
    let specs: Vec<_> = things.iter().map(spec).collect();
    let edges: Vec<(&str, Vec<&str>)> = specs
        .iter()
        .flatten()
        .map(|spec| {
            let after = spec.depends_on.iter().map(rota_config::AppName::as_str);
            (spec.name.as_str(), after.collect())
        })
        .collect();
    let waves = waves(&edges).into_iter().enumerate();
    let place: BTreeMap<&str, usize> = waves
        .flat_map(|(place, wave)| wave.into_iter().map(move |name| (name, place)))
        .collect();
    let place = |spec: &Option<Rc<AppSpec>>| {
        let name = spec.as_ref().map(|spec| spec.name.as_str());
        name.and_then(|name| place.get(name).copied())
    };
    let places: Vec<_> = specs.iter().map(place).collect();
    let mut placed: Vec<_> = places.into_iter().zip(things).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, thing)| thing).collect()
}

impl Supervisor {
    /// Says in a command which apps its app depends on. A start does not wait for apps that are not to run: their names are
    /// returned.
    pub(super) fn set_after(&self, command: &mut Command) -> Vec<String> {
        let (app, policy, generation, starts) = match command {
            Command::Start {
                app,
                policy,
                generation,
            } => (*app, policy, *generation, true),
            Command::Define {
                app,
                policy,
                generation,
            }
            | Command::Reload {
                app,
                update: Some((policy, generation)),
                ..
            }
            | Command::Restart {
                app,
                update: Some((policy, generation)),
                ..
            } => (*app, policy, *generation, false),
            _ => return Vec::new(),
        };
        let (after, absent) = self.with(|state| {
            let prepared = state
                .apps
                .get(&app)
                .and_then(|app| app.prepared(generation));
            let names = prepared.map(|prepared| prepared.spec.depends_on.clone());
            let (mut after, mut absent) = (Vec::new(), Vec::new());
            for name in names.into_iter().flatten() {
                match find(state, name.as_str()).filter(|other| *other != app) {
                    Some(other) if !starts || is_meant_to_run(state, other) => after.push(other),
                    _ => absent.push(name.to_string()),
                }
            }
            (after, absent)
        });
        policy.after = after;
        if starts { absent } else { Vec::new() }
    }

    /// Tells those who wait that apps are not there which others depend on.
    pub(super) fn tell_absent(&self, app: AppId, absent: &[String]) {
        if absent.is_empty() {
            return;
        }
        let names = absent.join(", ");
        let verb = if absent.len() == 1 { "does" } else { "do" };
        let text = format!("it depends on {names}, which {verb} not run: it is started without");
        let line = self.with(|state| {
            let progress = Progress::of_app(ProgressKind::Note, state.app_name(app), text);
            state.operations.tell(app, &progress);
            format!("{}: {}", progress.app, progress.text)
        });
        self.say(&line);
    }

    /// What an app is described by now.
    pub(super) fn spec_of(&self, app: AppId) -> Option<Rc<AppSpec>> {
        self.with(|state| {
            let view = state.engine.app(app)?;
            let prepared = state.apps.get(&app)?.prepared(view.generation)?;
            Some(Rc::new(prepared.spec.clone()))
        })
    }
}

/// It runs or is being started; or it has done what it was for.
fn is_meant_to_run(state: &State, app: AppId) -> bool {
    let view = state.engine.app(app);
    view.is_some_and(|view| view.slots.iter().any(|slot| slot.wanted))
}

#[cfg(test)]
mod tests {
    use rota_config::AppName;

    use super::*;

    fn spec(name: &str, after: &[&str]) -> Rc<AppSpec> {
        let name = AppName::new(name).unwrap();
        let mut spec = AppSpec::new(name, "x", "/");
        let after = after.iter().map(|other| AppName::new(*other).unwrap());
        spec.depends_on = after.collect();
        Rc::new(spec)
    }

    #[test]
    fn what_others_depend_on_comes_first() {
        let specs = vec![
            spec("web", &["api", "gone"]),
            spec("mail", &[]),
            spec("api", &["db"]),
            spec("db", &[]),
        ];
        let sorted = in_order(specs, |spec| Some(Rc::clone(spec)));
        let names: Vec<_> = sorted.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names, ["mail", "db", "api", "web"]);
    }
}
