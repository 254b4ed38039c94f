//! What can be asked for.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::ask::Ask;
use super::download::Download;
use super::error::ClientError;
use super::events::Events;
use super::follow::LogLines;
use super::link::Link;
use crate::{
    AppList, CommandRequest, ConfigRequest, ConfigResponse, EnvRequest, EnvResponse, ExportRequest,
    ExportResponse, FlushRequest, FlushResponse, LogsQuery, PlanRequest, PlanResponse,
    ProfileRequest, ProfileSource, ResurrectRequest, ShutdownRequest, SignalRequest,
    SignalResponse, StackRequest, StackResponse, StartRequest, StdinQuery, StdinResponse,
    UpgradeRequest, Version, paths, targets_to_query,
};

/// A connection to the daemon. Must be used inside a tokio runtime with IO and time.
///
/// A connection that breaks because the supervisor died is made again, for up to 15 seconds, and the request sent
/// again: what reads is simply asked again, and what changes something carries a name by which the next supervisor
/// knows it ([`crate::OperationToken`]).
#[derive(Debug)]
pub struct Client {
    link: Link,
}

impl Client {
    /// Connects to the daemon of `home`.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`] or [`ClientError::Stale`] if there is none.
    pub async fn connect(home: &Path) -> Result<Self, ClientError> {
        let link = Link::connect(paths::socket(home)).await?;
        Ok(Self { link })
    }

    /// Uses a stream that is connected already. It is not made again when it breaks.
    ///
    /// # Errors
    /// If the stream is broken.
    pub async fn over(stream: UnixStream) -> Result<Self, ClientError> {
        let link = Link::over(stream).await?;
        Ok(Self { link })
    }

    /// Calls `notice` when a request is sent again for the first time.
    #[must_use]
    pub fn on_restart(mut self, notice: impl FnOnce() + Send + 'static) -> Self {
        self.link.tell_once(Box::new(notice));
        self
    }

    /// What daemon this is.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn version(&mut self) -> Result<Version, ClientError> {
        self.link.value(&Ask::get(paths::VERSION)).await
    }

    /// As [`Self::version`], but a connection that breaks is an error at once.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn version_at_once(&mut self) -> Result<Version, ClientError> {
        self.link.value_once(&Ask::get(paths::VERSION)).await
    }

    /// The apps that `targets` mean; no target = all.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn apps(&mut self, targets: &[String]) -> Result<AppList, ClientError> {
        let query = targets_to_query(targets);
        let path = match query.as_str() {
            "" => paths::APPS.to_owned(),
            query => format!("{}?{query}", paths::APPS),
        };
        self.link.value(&Ask::get(path)).await
    }

    /// Starts apps.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn start<S: Serialize, O: Serialize>(
        self,
        request: &StartRequest<S, O>,
    ) -> Result<Events, ClientError> {
        Events::begin(self.link, Ask::operation(paths::APPS, request)?).await
    }

    /// Does something with apps that exist.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn command<U: Serialize>(
        self,
        request: &CommandRequest<U>,
    ) -> Result<Events, ClientError> {
        Events::begin(self.link, Ask::operation(paths::COMMAND, request)?).await
    }

    /// Stops everything, the daemon included.
    ///
    /// # Errors
    /// [`ClientError::Ended`] if the daemon went before its answer was out. See [`ClientError`] for others.
    pub async fn shutdown(self, request: &ShutdownRequest) -> Result<Events, ClientError> {
        let ask = Ask::operation(paths::SHUTDOWN, request)?.ending_the_daemon();
        Events::begin(self.link, ask).await
    }

    /// Starts again what ran when the daemon before ended.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn resurrect(self, request: &ResurrectRequest) -> Result<Events, ClientError> {
        Events::begin(self.link, Ask::operation(paths::RESURRECT, request)?).await
    }

    /// Replaces the daemon's processes by those of another binary.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn upgrade(self, request: &UpgradeRequest) -> Result<Events, ClientError> {
        let ask = Ask::operation(paths::UPGRADE, request)?;
        Events::begin(self.link, ask).await
    }

    /// Sends a signal to workers.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn signal(&mut self, request: &SignalRequest) -> Result<SignalResponse, ClientError> {
        let ask = Ask::operation(paths::SIGNAL, request)?;
        self.link.value(&ask).await
    }

    /// Writes bytes to the standard input of workers, [`paths::MAX_STDIN_BYTES`] at most; none: only asks whose it would be.
    /// Never sent twice.
    ///
    /// # Errors
    /// [`ClientError::Restarted`] if the supervisor died meanwhile: whether it has written is not known. See [`ClientError`]
    /// for others.
    pub async fn stdin(
        &mut self,
        query: &StdinQuery,
        bytes: Vec<u8>,
    ) -> Result<StdinResponse, ClientError> {
        let ask = Ask::bytes(format!("{}?{}", paths::STDIN, query.to_query()), bytes);
        match self.link.value_once(&ask).await {
            Err(broke) => Err(self.link.lost(broke).await),
            written => written,
        }
    }

    /// The environment of an app.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn env(&mut self, request: &EnvRequest) -> Result<EnvResponse, ClientError> {
        let ask = Ask::post(paths::ENV, request)?;
        self.link.value(&ask).await
    }

    /// The settings of an app, and where they come from.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn config(&mut self, request: &ConfigRequest) -> Result<ConfigResponse, ClientError> {
        let ask = Ask::post(paths::CONFIG, request)?;
        self.link.value(&ask).await
    }

    /// The specifications of apps as they run.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn export<S: DeserializeOwned, O: DeserializeOwned>(
        &mut self,
        request: &ExportRequest,
    ) -> Result<ExportResponse<S, O>, ClientError> {
        let ask = Ask::post(paths::EXPORT, request)?;
        self.link.value(&ask).await
    }

    /// What would have to happen so that apps run as they are described.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn plan<S: Serialize, O: Serialize>(
        &mut self,
        request: &PlanRequest<S, O>,
    ) -> Result<PlanResponse, ClientError> {
        let ask = Ask::post(paths::PLAN, request)?;
        self.link.value(&ask).await
    }

    /// Where the JavaScript of workers is.
    ///
    /// # Errors
    /// [`ClientError::Restarted`] if the supervisor died meanwhile. See [`ClientError`] for others.
    pub async fn stack(&mut self, request: &StackRequest) -> Result<StackResponse, ClientError> {
        let ask = Ask::post(paths::STACK, request)?;
        match self.link.value_once(&ask).await {
            Err(broke) => Err(self.link.lost(broke).await),
            seen => seen,
        }
    }

    /// Records a profile: whose it is, and the profile.
    ///
    /// # Errors
    /// [`ClientError::Restarted`] if the supervisor died meanwhile. See [`ClientError`] for others.
    pub async fn profile(
        &mut self,
        request: &ProfileRequest,
    ) -> Result<(ProfileSource, Download), ClientError> {
        let ask = Ask::post(paths::PROFILE, request)?;
        let response = match self.link.once(&ask).await {
            Ok(response) => response,
            Err(broke) => return Err(self.link.lost(broke).await),
        };
        let source = response.headers().get(ProfileSource::HEADER);
        let source = source
            .and_then(|source| serde_json::from_slice(source.as_bytes()).ok())
            .ok_or_else(|| {
                ClientError::Protocol("it does not say whose profile it is".to_owned())
            })?;
        let socket = self.link.socket().map(Path::to_owned);
        Ok((source, Download::new(response, socket)))
    }

    /// Empties logs.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn flush(&mut self, request: &FlushRequest) -> Result<FlushResponse, ClientError> {
        self.link.value(&Ask::post(paths::FLUSH, request)?).await
    }

    /// Has log files opened anew.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn reopen_logs(&mut self) -> Result<(), ClientError> {
        let _nothing: serde_json::Value = self.link.value(&Ask::post(paths::REOPEN, &())?).await?;
        Ok(())
    }

    /// Reads output; with `follow` without end.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn logs(self, query: &LogsQuery) -> Result<LogLines, ClientError> {
        LogLines::begin(self.link, query.clone()).await
    }
}
