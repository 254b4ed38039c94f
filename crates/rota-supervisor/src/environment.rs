//! The environment of workers, and what of it may be shown.

use std::ffi::OsString;

use rota_api::{ApiError, EnvRequest, EnvResponse, EnvVariable, ErrorCode};
use rota_engine::Slot;
use serde_json::Value;

use crate::apps::Prepared;
use crate::compat::{self, Place};
use crate::supervisor::Supervisor;

/// Variables that belong to one process and would mislead another: those of rota's own starter
/// (systemd, or a Node process) and those that rota sets anew for each worker.
const NOT_INHERITED: [&str; 11] = [
    "NOTIFY_SOCKET",
    "FDSTORE",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "NODE_CHANNEL_FD",
    "NODE_CHANNEL_SERIALIZATION_MODE",
    "NODE_UNIQUE_ID",
    "NODE_APP_INSTANCE",
];

/// The environment of a worker without what belongs to its descriptors and its agent: all from the app's
/// specification, nothing from the daemon's own environment. The place says where in the daemon it is; without one
/// the variables that PM2 sets are left out.
pub(crate) fn of(
    prepared: &Prepared,
    slot: Slot,
    place: Option<&Place>,
) -> Vec<(OsString, OsString)> {
    let mut env: Vec<(OsString, OsString)> = prepared
        .spec
        .env
        .iter()
        .filter(|(key, _)| !NOT_INHERITED.contains(key))
        .map(|(key, value)| (key.into(), value.into()))
        .collect();
    let login = prepared.person.as_ref();
    if let Some(login) = login.and_then(|person| person.login.as_ref()) {
        set_default(&mut env, "HOME", &login.home);
        set_default(&mut env, "LOGNAME", &login.name);
        set_default(&mut env, "SHELL", &login.shell);
        set_default(&mut env, "USER", &login.name);
    }
    compat::number(prepared, slot, &mut env);
    let python = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("python");
    if prepared.launch.program.file_name().is_some_and(python) {
        // Python buffers whole blocks when its output is a pipe: its log would lag behind.
        set_default(&mut env, "PYTHONUNBUFFERED", "1");
    }
    if let Some(place) = place {
        compat::add(prepared, slot, place, &mut env);
    }
    env
}

fn set_default(env: &mut Vec<(OsString, OsString)>, key: &str, value: &str) {
    if !env.iter().any(|(have, _)| have == key) {
        env.push((key.into(), value.into()));
    }
}

impl Supervisor {
    /// The environment that the workers of an app are started with. What looks like a secret leaves the daemon
    /// only if that is asked for.
    ///
    /// # Errors
    /// A target that means no app, or several.
    pub(crate) fn environment(&self, request: &EnvRequest) -> Result<EnvResponse, ApiError> {
        let chosen = self.select_one(&request.target)?;
        let found = self.with(|state| {
            let app = state.apps.get(&chosen.app)?;
            let view = state.engine.app(chosen.app);
            let newest = view.as_ref().map_or(app.newest, |view| view.generation);
            let first = view.and_then(|view| view.slots.first().map(|slot| slot.slot));
            let named = chosen
                .slots
                .as_ref()
                .and_then(|slots| slots.first().copied());
            let slot = named.or(first).unwrap_or(0);
            let place = self.place(state, chosen.app, slot);
            let env = of(app.prepared(newest)?, slot, place.as_ref());
            Some((app.name().to_owned(), slot, env))
        });
        let (app, slot, mut env) =
            found.ok_or_else(|| ApiError::new(ErrorCode::NoSuchTarget, "it has been deleted"))?;
        env.sort();
        let variables = env
            .into_iter()
            .map(|(name, value)| {
                let name = name.to_string_lossy().into_owned();
                let value = value.to_string_lossy().into_owned();
                let shown = request.reveal || !is_secret(&name, &value);
                EnvVariable {
                    length: value.chars().count() as u64,
                    value: shown.then_some(value),
                    name,
                }
            })
            .collect();
        Ok(EnvResponse {
            app,
            slot,
            variables,
        })
    }
}

/// Parts of names that stand for a secret. Hiding too much costs a `--reveal`; too little may cost the secret.
const SECRET_PARTS: [&str; 13] = [
    "APIKEY",
    "AUTH",
    "COOKIE",
    "CREDENTIAL",
    "DSN",
    "KEY",
    "PASS",
    "PRIVATE",
    "PWD",
    "SALT",
    "SECRET",
    "SIGNATURE",
    "TOKEN",
];
/// Names that have such a part and say nothing: the working folder, and the socket's path.
const HARMLESS: [&str; 3] = ["OLDPWD", "PWD", "SSH_AUTH_SOCK"];
/// Parts of values that a secret stands behind, in connection strings and keys.
const SECRET_VALUES: [&str; 5] = ["PASSWORD=", "PWD=", "SECRET=", "TOKEN=", "-----BEGIN "];

/// Whether a variable looks like a secret, by its name or its value.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    if HARMLESS.contains(&name.as_str()) {
        return false;
    }
    let loud = value.to_ascii_uppercase();
    SECRET_PARTS.iter().any(|part| name.contains(part))
        || SECRET_VALUES.iter().any(|part| loud.contains(part))
        || has_password(value)
}

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// A setting as it may be shown: words that look like secrets, such as `--token=…`, are not.
pub(crate) fn hidden(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(match text.split_once('=') {
            Some((name, value)) if is_secret(name, value) => format!("{name}={HIDDEN}"),
            _ if is_secret("", text) => HIDDEN.to_owned(),
            _ => text.clone(),
        }),
        Value::Array(items) => {
            let mut asked = false;
            let items = items.iter().map(|item| {
                let text = item.as_str().unwrap_or_default();
                // A flag with its value behind it.
                let behind = std::mem::replace(
                    &mut asked,
                    text.starts_with('-') && !text.contains('=') && is_secret(text, ""),
                );
                match behind && !text.starts_with('-') {
                    true => Value::String(HIDDEN.to_owned()),
                    false => hidden(item),
                }
            });
            Value::Array(items.collect())
        }
        other => other.clone(),
    }
}

/// A URL with a password in it: `postgres://user:password@host/`. Also without a user, as with Redis.
fn has_password(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        // Up to the sign, wherever it is: a password that was not encoded may have slashes in it.
        let user = rest.split_once('@').map_or("", |(user, _)| user);
        user.contains(':') && !user.contains(char::is_whitespace)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_look_like_secrets_are_hidden_in_settings() {
        let args = serde_json::json!([
            "--port=1",
            "--api-token=abc",
            "--password",
            "x",
            "-v",
            "redis://:p@h"
        ]);
        let shown = serde_json::json!([
            "--port=1",
            "--api-token=***",
            "--password",
            "***",
            "-v",
            "***"
        ]);
        assert_eq!(hidden(&args), shown);
        assert_eq!(hidden(&Value::from("app.js")), Value::from("app.js"));
        assert_eq!(hidden(&Value::from(3)), Value::from(3));
    }

    #[test]
    fn secrets_are_known_by_their_names() {
        for name in [
            "API_KEY",
            "apikey",
            "GITHUB_TOKEN",
            "db_password",
            "PGPASSWORD",
            "MYSQL_PWD",
            "JWT_SECRET",
            "AWS_SECRET_ACCESS_KEY",
            "BASIC_AUTH",
            "GOOGLE_CREDENTIALS",
            "PRIVATE_PEM",
            "SENTRY_DSN",
            "SESSION_COOKIE",
            "PASSPHRASE",
            "npm_config__authToken",
        ] {
            assert!(is_secret(name, "x"), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "PWD",
            "OLDPWD",
            "SSH_AUTH_SOCK",
            "PORT",
            "NODE_ENV",
            "LANG",
            "DATABASE_URL",
            "NODE_APP_INSTANCE",
        ] {
            assert!(!is_secret(name, "/x:/y"), "{name}");
        }
    }

    #[test]
    fn secrets_are_known_by_their_values() {
        for value in [
            "postgres://user:pass@host/db",
            "redis://:pass@host:6379",
            "amqp://u:p%40ss@h/vhost",
            "mysql://u:p/w@host/db",
            "a,https://u:p@proxy:80",
            "Server=h;User=u;Password=p",
            "Endpoint=sb://h;pwd=p",
            "-----BEGIN PRIVATE KEY-----\nx",
        ] {
            assert!(is_secret("DATABASE_URL", value), "{value}");
        }
        for value in [
            "postgres://host:5432/db",
            "http://user@host/",
            "https://example.org/@scope/name",
            "/a:/b@c",
            "",
        ] {
            assert!(!is_secret("DATABASE_URL", value), "{value}");
        }
    }
}
