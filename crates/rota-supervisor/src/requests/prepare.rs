//! From a specification to what it means on this machine.

use std::rc::Rc;

use rota_api::{ApiError, ErrorCode};
use rota_config::file::Origins;
use rota_config::{AppSpec, CronSpec};

use crate::apps::Prepared;
use crate::identity;
use crate::watch::Rules;

/// Checks a specification and finds out what it means on this machine.
pub(crate) fn prepare(spec: AppSpec, origins: Option<Origins>) -> Result<Rc<Prepared>, ApiError> {
    if let Some(problem) = spec.problems().first() {
        let text = format!("{}: {problem}", spec.name);
        return Err(ApiError::new(ErrorCode::InvalidSpec, text));
    }
    renewals(&spec)?;
    let launch = rota_config::resolve(&spec).map_err(|error| resolve_error(&error))?;
    let person = identity::of(&spec.process).map_err(|error| {
        let text = format!("{}: {error}", spec.name);
        ApiError::new(ErrorCode::InvalidSpec, text).with_hint(error.hint())
    })?;
    Ok(Rc::new(Prepared {
        spec,
        launch,
        person,
        origins,
    }))
}

/// What is only found out on this machine: time zones. And patterns, which nobody else understands.
fn renewals(spec: &AppSpec) -> Result<(), ApiError> {
    let wrong =
        |text: String| ApiError::new(ErrorCode::InvalidSpec, format!("{}: {text}", spec.name));
    if let Some(Err(error)) = spec.cron.as_ref().map(CronSpec::timetable) {
        return Err(wrong(format!("cron: {error}")).with_hint(error.hint()));
    }
    if let Some(watch) = &spec.watch {
        Rules::new(&spec.cwd, &watch.ignore, Vec::new())
            .map_err(|error| wrong(format!("ignore_watch: {error}")))?;
    }
    Ok(())
}

fn resolve_error(error: &rota_config::ResolveError) -> ApiError {
    use rota_config::ResolveErrorKind as Kind;
    let code = match &error.kind {
        Kind::NotFound { .. } => ErrorCode::ScriptNotFound,
        _ => ErrorCode::NotRunnable,
    };
    let api_error = ApiError::new(code, error.to_string());
    match &error.hint {
        Some(hint) => api_error.with_hint(hint),
        None => api_error,
    }
}
