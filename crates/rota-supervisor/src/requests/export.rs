//! Apps as they are, to be written down.

use std::collections::BTreeSet;

use rota_api::{ApiError, ExportRequest, ExportResponse, ExportView};
use rota_config::file::Origins;
use rota_config::{AppSpec, Instances};
use rota_engine::AppId;
use serde_json::Value;

use crate::environment::{hidden, is_secret};
use crate::supervisor::Supervisor;

impl Supervisor {
    /// The specifications of apps as they run. What looks like a secret leaves the daemon only if that is asked for.
    ///
    /// # Errors
    /// A target that names nothing.
    pub(crate) fn export(
        &self,
        request: &ExportRequest,
    ) -> Result<ExportResponse<AppSpec, Origins>, ApiError> {
        let chosen = self.select(&request.targets)?;
        let apps: BTreeSet<AppId> = chosen.iter().map(|selection| selection.app).collect();
        let apps = apps.into_iter().filter_map(|app| {
            let mut view = self.exported(app)?;
            if !request.reveal {
                keep_back(&mut view);
            }
            Some(view)
        });
        Ok(ExportResponse {
            apps: apps.collect(),
        })
    }

    fn exported(&self, app: AppId) -> Option<ExportView<AppSpec, Origins>> {
        self.with(|state| {
            let view = state.engine.app(app)?;
            let prepared = state.apps.get(&app)?.prepared(view.generation)?;
            let mut spec = prepared.spec.clone();
            let runs = view.slots.iter().any(|slot| slot.wanted);
            if runs && spec.instances.count(self.cpus) != view.instances {
                spec.instances = Instances::Count(view.instances);
            }
            Some(ExportView {
                spec,
                origins: prepared.origins.clone(),
                hidden: Vec::new(),
                masked: Vec::new(),
            })
        })
    }
}

fn keep_back(view: &mut ExportView<AppSpec, Origins>) {
    let spec = &mut view.spec;
    let secret = spec
        .env
        .iter()
        .filter(|(name, value)| is_secret(name, value));
    view.hidden = secret.map(|(name, _)| name.to_owned()).collect();
    for name in &view.hidden {
        spec.env.remove(name);
    }
    for (key, words) in [
        ("args", &mut spec.args),
        ("node_args", &mut spec.interpreter_args),
    ] {
        if mask(words) {
            view.masked.push(key.to_owned());
        }
    }
    let mut script = vec![std::mem::take(&mut spec.script)];
    if mask(&mut script) {
        view.masked.push("script".to_owned());
    }
    spec.script = script.pop().unwrap_or_default();
}

/// True if there was something to hide.
fn mask(words: &mut Vec<String>) -> bool {
    let before = words.clone();
    let shown = hidden(&Value::from(words.clone()));
    let shown = shown.as_array().into_iter().flatten();
    *words = shown.filter_map(Value::as_str).map(str::to_owned).collect();
    *words != before
}

#[cfg(test)]
mod tests {
    use rota_config::AppName;

    use super::*;

    #[test]
    fn secrets_are_named_and_kept_back() {
        let mut spec = AppSpec::new(AppName::placeholder(), "app.js", "/srv");
        spec.env = [("API_TOKEN", "x"), ("PORT", "1")].into_iter().collect();
        spec.args = vec!["--password".to_owned(), "x".to_owned()];
        let mut view = ExportView {
            spec,
            origins: None,
            hidden: Vec::new(),
            masked: Vec::new(),
        };
        keep_back(&mut view);
        assert_eq!(view.hidden, ["API_TOKEN"]);
        assert_eq!(view.masked, ["args"]);
        assert_eq!(view.spec.args, ["--password", "***"]);
        assert_eq!(view.spec.script, "app.js");
        assert_eq!(view.spec.env.get("API_TOKEN"), None);
    }
}
