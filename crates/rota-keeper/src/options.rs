//! How a keeper is started.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::groups::Where;
use crate::stored::Stored;

/// What `rota __keeper` has been told on its command line.
#[derive(Debug)]
pub struct KeeperOptions {
    /// `ROTA_HOME`.
    pub home: PathBuf,
    /// The listening API socket; becomes the entry [`API_KEY`].
    pub api: OwnedFd,
    /// The lock of this home, held as long as the keeper lives. Nobody else gets it.
    pub lock: OwnedFd,
    /// A memfd with a start request (`rota run`); becomes the blob of the entry [`BOOT_KEY`].
    pub boot: Option<OwnedFd>,
    /// Whether this is `rota run`; told to the supervisor.
    pub foreground: bool,
    /// The version of the program, told to the supervisor.
    pub version: String,
    /// The supervisor's program; it finds its end of the socket as descriptor [`SUPERVISOR_FD`].
    pub program: PathBuf,
    /// The supervisor's arguments.
    pub args: Vec<OsString>,
    /// Where children get control groups.
    pub groups: Where,
    /// What the manager of the service has kept, see [`crate::handed_back`]; become the entries
    /// [`crate::STORED_KEY`]`<number>`.
    pub stored: Vec<Stored>,
}

/// What `rota __keeper` has been told by the image of the same process that ran before, in an upgrade.
#[derive(Debug)]
pub struct Resume {
    /// [`RESUME_FLAG`]: a memfd with the state.
    pub state: OwnedFd,
    /// [`PREVIOUS_FLAG`]: the program of before, to go back to.
    pub previous: Option<OwnedFd>,
    /// [`FAILED_FLAG`]: why the program to which this is the way back would not do.
    pub failed: Option<String>,
}

/// What of the options is needed as long as the keeper lives.
#[derive(Debug)]
pub(crate) struct Settings {
    pub home: PathBuf,
    pub lock: OwnedFd,
    pub foreground: bool,
    pub version: String,
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

/// The first argument of every keeper. This and the flags below are how images of different versions speak to each
/// other: `PROGRAM __keeper --trial FD` reads a state and exits, with 0 if it could go on with it;
/// `PROGRAM __keeper --resume FD [--previous FD] [--failed TEXT]` goes on with it. `--home PATH` may come with
/// either, for people who look at the list of processes.
pub const KEEPER_VERB: &str = "__keeper";
/// The descriptor of a state to be tried.
pub const TRIAL_FLAG: &str = "--trial";
/// The descriptor of the state to go on with; see [`Resume`].
pub const RESUME_FLAG: &str = "--resume";
/// The descriptor of the program of before; see [`Resume`].
pub const PREVIOUS_FLAG: &str = "--previous";
/// Why an upgrade has failed; see [`Resume`].
pub const FAILED_FLAG: &str = "--failed";

/// The entry that holds the API socket from the start.
pub const API_KEY: &str = "api";
/// The entry that holds the start request of `rota run` from the start.
pub const BOOT_KEY: &str = "boot";
/// The number under which a supervisor finds its end of the socket.
pub const SUPERVISOR_FD: i32 = 3;

impl KeeperOptions {
    /// The usual keeper: its supervisor is this very program, started as `__supervisor --home HOME
    /// [--foreground]`. The running file is named through `/proc`, so that it may be replaced on disk meanwhile.
    #[must_use]
    pub fn new(
        home: PathBuf,
        api: OwnedFd,
        lock: OwnedFd,
        boot: Option<OwnedFd>,
        foreground: bool,
    ) -> Self {
        let mut args: Vec<OsString> =
            vec!["__supervisor".into(), "--home".into(), home.clone().into()];
        if foreground {
            args.push("--foreground".into());
        }
        Self {
            home,
            api,
            lock,
            boot,
            foreground,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: "/proc/self/exe".into(),
            args,
            groups: Where::Own,
            stored: Vec::new(),
        }
    }
}
