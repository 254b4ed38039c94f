//! Paths and methods, and what answers them.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Method, Request};
use rota_api::{
    ApiError, AppList, CommandRequest, CommandResult, ErrorCode, Finished, ProfileRequest,
    ProfileSource, ShutdownRequest, SignalRequest, StackRequest, StartRequest, StreamEvent, paths,
};
use rota_config::{AppSpec, SpecUpdate};

use super::http::{self, Answer, LineSender};
use super::logs;
use crate::supervisor::Supervisor;

/// Answers one request.
pub(super) async fn answer(supervisor: &Rc<Supervisor>, request: Request<Incoming>) -> Answer {
    let result = match (request.method(), request.uri().path()) {
        (&Method::GET, paths::VERSION) => Ok(http::json(&supervisor.version())),
        (&Method::GET, paths::APPS) => apps(supervisor, request).await,
        (&Method::POST, paths::APPS) => start(supervisor, request).await,
        (&Method::POST, paths::COMMAND) => command(supervisor, request).await,
        (&Method::POST, paths::SIGNAL) => signal(supervisor, request).await,
        (&Method::POST, paths::STACK) => stack(supervisor, request).await,
        (&Method::POST, paths::PROFILE) => profile(supervisor, request).await,
        (&Method::POST, paths::SHUTDOWN) => shutdown(supervisor, request).await,
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
    let request: StartRequest<AppSpec> = http::read_json(request.into_body()).await?;
    let names = request
        .apps
        .iter()
        .map(|app| app.name.to_string())
        .collect();
    let wait = request.wait;
    operation(wait, names, |listener| supervisor.start(request, listener))
}

async fn command(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let request: CommandRequest<SpecUpdate> = http::read_json(request.into_body()).await?;
    let names = supervisor.names(&supervisor.select(&request.targets)?);
    operation(request.wait, names, |listener| {
        supervisor.command(&request, listener)
    })
}

async fn signal(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let request: SignalRequest = http::read_json(request.into_body()).await?;
    Ok(http::json(&supervisor.signal(&request)?))
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
    let request: ShutdownRequest = http::read_json(request.into_body()).await?;
    operation(true, Vec::new(), |listener| {
        supervisor.shut_down(request.now, listener);
        Ok(())
    })
}

/// Runs something that takes time, with its progress as the answer; or answers at acceptance.
fn operation(
    wait: bool,
    names: Vec<String>,
    run: impl FnOnce(Option<LineSender>) -> Result<(), ApiError>,
) -> Result<Answer, ApiError> {
    let (answer, lines) = http::stream();
    if wait {
        run(Some(lines))?;
        return Ok(answer);
    }
    run(None)?;
    let accepted = |name: String| CommandResult::done(name, "accepted");
    lines.send(&StreamEvent::Finished(Finished {
        results: names.into_iter().map(accepted).collect(),
    }));
    Ok(answer)
}
