//! How a keeper is started.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

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
}

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
        }
    }
}
