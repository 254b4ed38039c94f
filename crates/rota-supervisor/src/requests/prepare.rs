//! From a specification to what it means on this machine.

use std::rc::Rc;

use rota_api::{ApiError, ErrorCode};
use rota_config::AppSpec;

use crate::apps::Prepared;

/// Checks a specification and finds out what it means on this machine.
pub(crate) fn prepare(spec: AppSpec) -> Result<Rc<Prepared>, ApiError> {
    if let Some(problem) = spec.problems().first() {
        let text = format!("{}: {problem}", spec.name);
        return Err(ApiError::new(ErrorCode::InvalidSpec, text));
    }
    let launch = rota_config::resolve(&spec).map_err(|error| resolve_error(&error))?;
    Ok(Rc::new(Prepared { spec, launch }))
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
