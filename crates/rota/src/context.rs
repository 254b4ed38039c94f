//! What every verb needs: the home, the styles of the two outputs, and a runtime.

use std::future::Future;
use std::io::Write as _;
use std::path::Path;

use rota_api::ExitCode;
use rota_api::client::Client;
use rota_supervisor::LeftBehind;

use crate::daemon::Home;
use crate::failure::{Failure, Stop};
use crate::output::{Out, Paint, Progress, clean, orphans};

/// What every verb needs.
#[derive(Debug)]
pub struct Context {
    home: Result<Home, String>,
    /// `--no-color` was given.
    no_color: bool,
}

impl Context {
    /// From the environment.
    pub fn new(no_color: bool) -> Self {
        Self {
            home: Home::from_env(),
            no_color,
        }
    }

    /// From the environment, or with another home.
    pub fn of(no_color: bool, home: Option<Home>) -> Self {
        Self {
            home: home.map_or_else(Home::from_env, Ok),
            no_color,
        }
    }

    /// `ROTA_HOME`.
    ///
    /// # Errors
    /// If neither it nor `HOME` is set.
    pub fn home(&self) -> Result<&Home, Failure> {
        self.home.as_ref().map_err(|why| {
            Failure::new(ExitCode::NoDaemon, why.clone())
                .hint("set ROTA_HOME to a folder of your own")
        })
    }

    /// Standard output.
    pub fn out(&self) -> Out {
        Out::stdout(self.no_color)
    }

    /// The colours of standard error.
    pub fn err_paint(&self) -> Paint {
        Paint::stderr(self.no_color)
    }

    /// Progress, on standard error.
    pub fn progress(&self) -> Progress {
        Progress::new(self.err_paint())
    }

    /// A connection to the daemon, which must be running.
    ///
    /// # Errors
    /// If it is not, or cannot be reached.
    pub async fn client(&self) -> Result<Client, Failure> {
        let home = self.home()?.path();
        let client = Client::connect(home).await.map_err(|error| {
            let absent = error.is_absent();
            let mut failure = Failure::from(error);
            if absent {
                tell_orphans(&mut failure, home);
            }
            failure
        })?;
        Ok(self.telling(client))
    }

    /// The client, which says on a terminal when it asks again.
    pub fn telling(&self, client: Client) -> Client {
        if !self.talks() {
            return client;
        }
        // A live line may stand there.
        client.on_restart(|| remark("\r\u{1b}[Kthe supervisor was restarted; asking again"))
    }

    /// True if somebody sits before standard error.
    pub fn talks(&self) -> bool {
        self.err_paint().columns.is_some()
    }

    /// Runs a verb's IO on this thread.
    ///
    /// # Errors
    /// Those of the verb.
    pub fn block_on<T>(&self, verb: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| {
                Failure::new(ExitCode::Failed, "cannot set up for input and output").because(&error)
            })?;
        runtime.block_on(verb)
    }
}

/// There is no daemon, but there may be workers of one.
fn tell_orphans(failure: &mut Failure, home: &Path) {
    let left = LeftBehind::in_home(home);
    let Some(first) = left.workers.first() else {
        let ran = left.apps.iter().filter(|(_, ran)| *ran);
        let names: Vec<_> = ran.map(|(app, _)| app.name.as_str()).collect();
        if !names.is_empty() {
            failure.hint = Some(format!(
                "`rota resurrect` starts what ran when it ended: {}",
                names.join(", ")
            ));
        }
        return;
    };
    failure.detail = orphans(&left.workers);
    failure.hint = Some(format!(
        "`rota start {}` starts a daemon that takes their place over",
        clean(&first.app)
    ));
}

/// Says something on standard error that nobody needs to read.
pub fn remark(text: &str) {
    // A terminal that has gone is no reason to stop.
    let _closed = writeln!(std::io::stderr().lock(), "{text}");
}
