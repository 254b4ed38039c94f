//! The settings of an app, and where each comes from.

use std::path::Path;

use rota_api::{ApiError, ConfigRequest, ConfigResponse, ErrorCode, Origin, Setting, SettingEnv};
use rota_config::AppSpec;
use rota_config::file::{EnvOrigin, KEYS, Origins, is_usual};

use crate::supervisor::Supervisor;

impl Supervisor {
    /// The settings of an app, and where each comes from.
    ///
    /// # Errors
    /// A target that means no app, or several.
    pub(crate) fn config(&self, request: &ConfigRequest) -> Result<ConfigResponse, ApiError> {
        let chosen = self.select_one(&request.target)?;
        let found = self.with(|state| {
            let app = state.apps.get(&chosen.app)?;
            let view = state.engine.app(chosen.app);
            let generation = view.as_ref().map_or(app.newest, |view| view.generation);
            let prepared = app.prepared(generation)?;
            let mut answer = describe(&prepared.spec, prepared.origins.as_ref());
            let wanted = prepared.spec.instances.count(self.cpus);
            // An app that is stopped has no number of its own.
            let now = view.map_or(0, |view| view.instances);
            if now != wanted && now > 0 {
                scaled(&mut answer, now);
            }
            Some(answer)
        });
        found.ok_or_else(|| ApiError::new(ErrorCode::NoSuchTarget, "it has been deleted"))
    }
}

/// What `scale` has said since the start counts.
fn scaled(answer: &mut ConfigResponse, instances: u32) {
    for setting in &mut answer.settings {
        if setting.key == "instances" {
            setting.value = instances.into();
            setting.origin = Origin::Scaled;
        }
    }
}

fn describe(spec: &AppSpec, origins: Option<&Origins>) -> ConfigResponse {
    let file = origins
        .and_then(Origins::file)
        .map(|file| file.display().to_string());
    let keys = KEYS.iter().filter(|key| key.is_field());
    let settings = keys.map(|key| {
        let value = key.value(spec);
        let line = origins.and_then(|origins| origins.keys.get(key.name));
        let origin = match (line, &file) {
            (Some(&line), Some(file)) => Origin::File {
                file: file.clone(),
                line,
                field: origins.and_then(|origins| origins.fields.get(key.name).cloned()),
            },
            _ if is_usual(key, spec, Path::new("/")) => Origin::Default,
            // The file's folder.
            _ if file.is_some() && key.name == "cwd" => Origin::Default,
            _ => Origin::Given,
        };
        Setting {
            key: key.name.to_owned(),
            value,
            origin,
        }
    });
    let settings = settings.collect();
    let env = spec.env.iter().map(|(name, _)| SettingEnv {
        name: name.to_owned(),
        origin: variable(origins.and_then(|origins| origins.env.get(name))),
    });
    ConfigResponse {
        app: spec.name.to_string(),
        profile: origins.and_then(|origins| origins.profile.clone()),
        env: env.collect(),
        settings,
        file,
    }
}

fn variable(origin: Option<&EnvOrigin>) -> Origin {
    let Some(origin) = origin else {
        return Origin::Given;
    };
    let file = origin.file.as_ref().map(|file| file.display().to_string());
    match (file, origin.line, origin.shell) {
        (Some(file), Some(line), true) => Origin::Named { file, line },
        (Some(file), Some(line), false) => Origin::File {
            file,
            line,
            field: None,
        },
        _ => Origin::Shell,
    }
}

#[cfg(test)]
mod tests {
    use rota_config::AppName;

    use super::*;

    #[test]
    fn every_setting_has_an_origin() {
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "app.js", "/srv");
        spec.restart.max_restarts = 3;
        spec.probe = "tcp://127.0.0.1:1".parse().ok();
        spec.env = [("A", "secret"), ("PATH", "/bin"), ("X", "1")]
            .into_iter()
            .collect();
        let origin = |answer: &ConfigResponse, key: &str| {
            let setting = answer.settings.iter().find(|setting| setting.key == key);
            setting.unwrap().origin.clone()
        };
        let plain = describe(&spec, None);
        assert_eq!(origin(&plain, "max_restarts"), Origin::Given);
        assert_eq!(origin(&plain, "script"), Origin::Given);
        assert_eq!(origin(&plain, "instances"), Origin::Default);
        assert_eq!(origin(&plain, "probe_interval"), Origin::Default);
        let origins = Origins {
            file: "/srv/rota.toml".into(),
            profile: Some("production".to_owned()),
            keys: [("script".to_owned(), 2)].into(),
            fields: [("script".to_owned(), "exec".to_owned())].into(),
            env: [
                (
                    "A".to_owned(),
                    EnvOrigin {
                        file: Some("/srv/.env".into()),
                        line: Some(1),
                        shell: false,
                    },
                ),
                (
                    "PATH".to_owned(),
                    EnvOrigin {
                        file: None,
                        line: None,
                        shell: true,
                    },
                ),
            ]
            .into(),
        };
        let mut answer = describe(&spec, Some(&origins));
        let file = "/srv/rota.toml".to_owned();
        let field = Some("exec".to_owned());
        let script = Origin::File {
            file,
            line: 2,
            field,
        };
        assert_eq!(origin(&answer, "script"), script);
        assert_eq!(origin(&answer, "cwd"), Origin::Default);
        assert_eq!(origin(&answer, "max_restarts"), Origin::Given);
        let of = |name: &str| {
            answer
                .env
                .iter()
                .find(|v| v.name == name)
                .unwrap()
                .origin
                .clone()
        };
        assert_eq!(
            of("A"),
            Origin::File {
                file: "/srv/.env".to_owned(),
                line: 1,
                field: None,
            }
        );
        assert_eq!((of("PATH"), of("X")), (Origin::Shell, Origin::Given));
        assert!(!serde_json::to_string(&answer).unwrap().contains("secret"));
        scaled(&mut answer, 4);
        assert_eq!(origin(&answer, "instances"), Origin::Scaled);
    }
}
