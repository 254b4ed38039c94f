//! Paths and methods, and what answers them.

use std::rc::Rc;

use hyper::body::Incoming;
use hyper::{Method, Request};
use rota_api::{
    ApiError, AppList, CommandRequest, ConfigRequest, EnvRequest, ErrorCode, ExportRequest,
    OperationToken, PlanRequest, ProfileRequest, ProfileSource, ResurrectRequest, ShutdownRequest,
    SignalRequest, StackRequest, StartRequest, StdinQuery, UpgradeRequest, paths,
};
use rota_config::file::Origins;
use rota_config::{AppSpec, SpecUpdate};

use super::http::{self, Answer};
use super::{again, logs};
use crate::operations::Caller;
use crate::supervisor::Supervisor;

/// Answers one request.
pub(super) async fn answer(supervisor: &Rc<Supervisor>, request: Request<Incoming>) -> Answer {
    // What `start` names is its caller's to describe, and who asks for the version may be about to.
    let starts = (request.method(), request.uri().path()) == (&Method::POST, paths::APPS);
    if !starts && request.uri().path() != paths::VERSION {
        supervisor.adopt_survivors();
    }
    let result = match (request.method(), request.uri().path()) {
        (&Method::GET, paths::VERSION) => Ok(http::json(&supervisor.version())),
        (&Method::GET, paths::APPS) => apps(supervisor, request).await,
        (&Method::POST, paths::APPS) => start(supervisor, request).await,
        (&Method::POST, paths::COMMAND) => command(supervisor, request).await,
        (&Method::POST, paths::SIGNAL) => signal(supervisor, request).await,
        (&Method::POST, paths::STDIN) => stdin(supervisor, request).await,
        (&Method::POST, paths::ENV) => env(supervisor, request).await,
        (&Method::POST, paths::CONFIG) => config(supervisor, request).await,
        (&Method::POST, paths::EXPORT) => export(supervisor, request).await,
        (&Method::POST, paths::PLAN) => plan(supervisor, request).await,
        (&Method::POST, paths::STACK) => stack(supervisor, request).await,
        (&Method::POST, paths::PROFILE) => profile(supervisor, request).await,
        (&Method::POST, paths::SHUTDOWN) => shutdown(supervisor, request).await,
        (&Method::POST, paths::RESURRECT) => resurrect(supervisor, request).await,
        (&Method::POST, paths::UPGRADE) => upgrade(supervisor, request).await,
        (&Method::GET, paths::LOGS) => logs::answer(supervisor, request).await,
        (&Method::POST, paths::FLUSH) => logs::flush(supervisor, request).await,
        (&Method::POST, paths::REOPEN) => Ok(logs::reopen(supervisor)),
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
    let survivors = supervisor.with(|state| state.survivors.views());
    Ok(http::json(&AppList { apps, survivors }))
}

async fn start(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let token = http::token(&request)?;
    let request: StartRequest<AppSpec, Origins> = http::read_json(request.into_body()).await?;
    let names = request.apps.iter().map(|app| app.name.to_string());
    let (wait, names) = (request.wait, names.collect());
    operation(
        supervisor,
        token,
        wait,
        || Ok(names),
        |caller| {
            let started = supervisor.start(request, caller);
            supervisor.adopt_survivors();
            started
        },
    )
}

async fn command(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let token = http::token(&request)?;
    let request: CommandRequest<SpecUpdate> = http::read_json(request.into_body()).await?;
    let names = || Ok(supervisor.names(&supervisor.select(&request.targets)?));
    operation(supervisor, token, request.wait, names, |caller| {
        supervisor.command(&request, caller)
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

async fn stdin(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let query = StdinQuery::from_query(request.uri().query().unwrap_or_default())
        .map_err(|why| ApiError::new(ErrorCode::BadRequest, why))?;
    let bytes = http::read_stdin(request.into_body()).await?;
    Ok(http::json(&supervisor.write_stdin(&query, bytes).await?))
}

async fn env(supervisor: &Rc<Supervisor>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let request: EnvRequest = http::read_json(request.into_body()).await?;
    Ok(http::json(&supervisor.environment(&request)?))
}

async fn config(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let request: ConfigRequest = http::read_json(request.into_body()).await?;
    Ok(http::json(&supervisor.config(&request)?))
}

async fn export(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let request: ExportRequest = http::read_json(request.into_body()).await?;
    Ok(http::json(&supervisor.export(&request)?))
}

async fn plan(supervisor: &Rc<Supervisor>, request: Request<Incoming>) -> Result<Answer, ApiError> {
    let request: PlanRequest<AppSpec, Origins> = http::read_json(request.into_body()).await?;
    Ok(http::json(&supervisor.plan(request)?))
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
    operation(supervisor, token, true, no_names, |caller| {
        supervisor.shut_down(request.now, caller);
        Ok(())
    })
}

async fn resurrect(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let token = http::token(&request)?;
    let request: ResurrectRequest = http::read_json(request.into_body()).await?;
    let names = || Ok(supervisor.due_names());
    operation(supervisor, token, request.wait, names, |caller| {
        supervisor.resurrect(caller);
        Ok(())
    })
}

async fn upgrade(
    supervisor: &Rc<Supervisor>,
    request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let token = http::token(&request)?;
    let request: UpgradeRequest = http::read_json(request.into_body()).await?;
    operation(supervisor, token, true, no_names, |caller| {
        supervisor.upgrade(&request, caller)
    })
}

/// Runs something that takes time, as one transaction, with its progress as the answer; or answers at acceptance, with
/// the names of the apps that it is about. What has been asked for before under this token is not run again, and its
/// names are not looked up: a second delete would find nothing to delete.
fn operation(
    supervisor: &Rc<Supervisor>,
    token: Option<OperationToken>,
    wait: bool,
    names: impl FnOnce() -> Result<Vec<String>, ApiError>,
    run: impl FnOnce(Caller) -> Result<(), ApiError>,
) -> Result<Answer, ApiError> {
    if let Some(answer) = again::operation(supervisor, token, wait)? {
        return Ok(answer);
    }
    let names = names()?;
    let (answer, lines) = http::stream();
    let listener = wait.then(|| lines.clone());
    supervisor.transact(|| run(Caller { token, listener }))?;
    if !wait {
        again::accepted(&lines, names);
    }
    Ok(answer)
}

/// Of requests that are about the daemon as a whole.
fn no_names() -> Result<Vec<String>, ApiError> {
    Ok(Vec::new())
}
