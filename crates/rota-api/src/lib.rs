//! Request, response and event types of rota's API, and its client.
//!
//! The API is HTTP/1.1 with JSON over the Unix socket `ROTA_HOME/rota.sock`; every path begins
//! with `/v1`. Operations that take time answer with one JSON object per line (NDJSON): any number
//! of [`StreamEvent::Progress`] and exactly one [`StreamEvent::Finished`] at the end. Errors are an
//! HTTP status with an [`ErrorBody`]. `docs/api.md` describes all of it for people.
//!
//! A request that changes something may carry an [`OperationToken`] in the header
//! [`OperationToken::HEADER`]. Sent again with the same token, by a client whose connection broke, it is
//! not carried out again: an operation that is under way goes on and answers to this caller as well,
//! and one that has ended answers with its results at once, for some minutes. What counts is the body
//! of the first request with a token. A request that was refused is not remembered.
//!
//! The types do not know what an app's specification is made of: requests that carry one are
//! generic over it.

pub mod client;
mod config;
mod drained;
mod environment;
mod error;
mod event;
mod exit;
mod export;
mod inside;
mod io;
mod logs;
pub mod paths;
mod plan;
mod query;
mod renewal;
mod request;
mod settings;
mod status;
mod stdin;
mod token;
mod tools;
mod view;

pub use config::{ConfigRequest, ConfigResponse, Origin, Setting, SettingEnv};
pub use drained::Drained;
pub use environment::{EnvRequest, EnvResponse, EnvVariable};
pub use error::{ApiError, ErrorBody, ErrorCode};
pub use event::{CommandResult, Finished, Progress, ProgressKind, Step, StreamEvent};
pub use exit::ExitCode;
pub use export::{ExportRequest, ExportResponse, ExportView};
pub use inside::{
    EventLoopView, GcView, HealthView, HeapView, HttpView, InsideView, LatencyView, ProcessView,
    ResponsesView,
};
pub use io::HyperIo;
pub use logs::{FlushRequest, FlushResponse, LogLine, LogsQuery, Stream, StreamFilter};
pub use plan::{
    PlanAction, PlanChange, PlanEntry, PlanEnv, PlanOther, PlanRequest, PlanResponse, PlanScale,
};
pub use query::{targets_from_query, targets_to_query};
pub use renewal::{CronView, RenewalView, RenewedView, WatchView};
pub use request::{
    CommandRequest, DaemonBoot, ResurrectRequest, RunOptions, ShutdownRequest, SignalRequest,
    SignalResponse, StartRequest, UpgradeRequest, Verb,
};
pub use settings::{
    CgroupsView, HeldBy, HeldView, IdsView, LogsView, ProcessSettingsView, ResourcesView,
    RotationView,
};
pub use status::{AppStatus, WorkerStatus};
pub use stdin::{StdinQuery, StdinResponse, StdinView};
pub use token::{NoToken, OperationToken};
pub use tools::{
    ProfileKind, ProfileRequest, ProfileSource, StackRequest, StackResponse, StackState, StackView,
};
pub use view::{
    AppList, AppView, ExceptionView, FailureKind, FailureView, LastExit, LimitsView, RolloutView,
    SettingsView, SurvivorView, Version, WorkerView,
};
