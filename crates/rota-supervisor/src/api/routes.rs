//! Paths and methods, and what answers them.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Method, Request};
use rota_api::{
    ApiError, AppList, CommandRequest, EnvRequest, ErrorCode, OperationToken, ProfileRequest,
    ProfileSource, ShutdownRequest, SignalRequest, StackRequest, StartRequest, UpgradeRequest,
    paths,
};
use rota_config::{AppSpec, SpecUpdate};

use super::http::{self, Answer};
use super::{again, logs};
use crate::operations::Caller;
use crate::supervisor::Supervisor;

/// Answers one request.
pub(super) async fn answer(supervisor: &Rc<Supervisor>, request: Request<Incoming>) -> Answer {
    let result = match (request.method(), request.uri().path()) {
        (&Method::GET, paths::VERSION) => Ok(http::json(&supervisor.version())),
        (&Method::GET, paths::APPS) => apps(supervisor, request).await,
        (&Method::POST, paths::APPS) => start(supervisor, request).await,
        (&Method::POST, paths::COMMAND) => command(supervisor, request).await,
        (&Method::POST, paths::SIGNAL) => signal(supervisor, request).await,
        (&Method::POST, paths::ENV) => env(supervisor, request).await,
        (&Method::POST, paths::STACK) => stack(supervisor, request).await,
        (&Method::POST, paths::PROFILE) => profile(supervisor, request).await,
        (&Method::POST, paths::SHUTDOWN) => shutdown(supervisor, request).await,
        (&Method::POST, paths::UPGRADE) => upgrade(supervisor, request).await,
        (&Method::GET, paths::LOGS) => logs::answer(supervisor, request).await,
        (method, path) => Err(ApiError::new(
            ErrorCode::NotFound,
            format!("there is no {method} {path}"),
        )),
    };
    result.unwrap_or_else(http::error)
}

async fn apps(supervisor: &Rc<Supervisor>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let query = request.uri().query().unwrap_or_default();
    let targets = rota_api::targets_from_query(query)
        .map_err(|why| ApiError::new(ErrorCode::BadRequest, why))?;
    let chosen = if targets.is_empty() {
        None
    } else {
        let chosen = supervisor.select(&targets)?;
        Some(chosen.into_iter().map(|s| s.app).collect::<Vec<_>>())
    };
    let apps = supervisor.views(chosen.as_deref()).await;
    Ok(http::json(&AppList { apps }))
}

async fn start(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let token = http::token(&request)?;
    let request: StartRequest<AppSpec> = http::read_json(request.into_body()).await?;
    let wait = request.wait;
    if let Some(answer) = again::operation(supervisor, token, wait)? {
        return Ok(answer);
    }
    let names = request
        .apps
        .iter()
        .map(|app| app.name.to_string())
        .collect();
    operation(token, wait, names, |caller| {
        supervisor.transact(|| supervisor.start(request, caller))
    })
}

async fn command(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let token = http::token(&request)?;
    let request: CommandRequest<SpecUpdate> = http::read_json(request.into_body()).await?;
    // Before its targets are looked up: a second delete would find nothing to delete.
    if let Some(answer) = again::operation(supervisor, token, request.wait)? {
        return Ok(answer);
    }
    let names = supervisor.names(&supervisor.select(&request.targets)?);
    operation(token, request.wait, names, |caller| {
        supervisor.transact(|| supervisor.command(&request, caller))
    })
}

async fn signal(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let token = http::token(&request)?;
    let request: SignalRequest = http::read_json(request.into_body()).await?;
    if let Some(answer) = again::signal(supervisor, token)? {
        return Ok(answer);
    }
    let sent = supervisor.transact(|| supervisor.signal(&request, token))?;
    Ok(http::json(&sent))
}

async fn env(supervisor: &Rc<Supervisor>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let request: EnvRequest = http::read_json(request.into_body()).await?;
    Ok(http::json(&supervisor.environment(&request)?))
}

async fn stack(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let request: StackRequest = http::read_json(request.into_body()).await?;
    Ok(http::json(&supervisor.stacks(&request).await?))
}

async fn profile(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let request: ProfileRequest = http::read_json(request.into_body()).await?;
    let profile = supervisor.profile(&request).await?;
    let source = serde_json::to_string(&profile.source).unwrap_or_default();
    http::file(
        profile.pieces,
        profile.length,
        (ProfileSource::HEADER, source),
    )
    .ok_or_else(|| ApiError::new(ErrorCode::Internal, "the app's name fits into no header"))
}

async fn shutdown(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let token = http::token(&request)?;
    let request: ShutdownRequest = http::read_json(request.into_body()).await?;
    if let Some(answer) = again::operation(supervisor, token, true)? {
        return Ok(answer);
    }
    operation(token, true, Vec::new(), |caller| {
        supervisor.transact(|| supervisor.shut_down(request.now, caller));
        Ok(())
    })
}

async fn upgrade(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let token = http::token(&request)?;
    let request: UpgradeRequest = http::read_json(request.into_body()).await?;
    if let Some(answer) = again::operation(supervisor, token, true)? {
        return Ok(answer);
    }
    operation(token, true, Vec::new(), |caller| {
        supervisor.transact(|| supervisor.upgrade(&request, caller))
    })
}

/// Runs something that takes time, with its progress as the answer; or answers at acceptance.
fn operation(
    token: Option<OperationToken>,
    wait: bool,
    names: Vec<String>,
    run: impl FnOnce(Caller) -> Result<(), ApiError>,
) -> Result<Answer, ApiError> {
    let (answer, lines) = http::stream();
    let listener = wait.then(|| lines.clone());
    run(Caller { token, listener })?;
    if !wait {
        again::accepted(&lines, names);
    }
    Ok(answer)
}
