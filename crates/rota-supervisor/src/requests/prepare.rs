//! From a specification to what it means on this machine.

use std::rc::Rc;

use rota_api::{ApiError, ErrorCode};
use rota_config::AppSpec;
use rota_config::file::Origins;

use crate::apps::Prepared;
use crate::identity;

/// Checks a specification and finds out what it means on this machine.
pub(crate) fn prepare(spec: AppSpec, origins: Option<Origins>) -> Result<Rc<Prepared>, ApiError> {
    if let Some(problem) = spec.problems().first() {
        let text = format!("{}: {problem}", spec.name);
        return Err(ApiError::new(ErrorCode::InvalidSpec, text));
    }
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
