//! Finding the daemon, starting one, becoming one.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use rota_api::ExitCode;
use rota_api::client::{Client, ClientError};
use rota_sys::fds::keep_on_exec;
use rota_sys::{lock, memfd, spawn::Spawn};
use rustix::fs::{Mode, OFlags};

use super::home::Home;
use crate::context::remark;
use crate::entry::{self, KeeperArgs};
use crate::failure::Failure;
use crate::output::survivors;

/// This program, also after its file was replaced.
const SELF: &str = "/proc/self/exe";
/// A daemon that is going down holds its lock a moment longer than its socket is there.
const LOCK_LIMIT: Duration = Duration::from_secs(10);
/// The descriptors that a keeper in the background finds.
const API_FD: i32 = 3;
const LOCK_FD: i32 = 4;

/// What a manager tells the process that it has started, and nobody else.
const OF_THE_MANAGER: [&str; 7] = [
    "NOTIFY_SOCKET",
    "FDSTORE",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
];

/// What makes a process the daemon of a home.
struct Claim {
    api: OwnedFd,
    lock: OwnedFd,
}

/// Connects to the daemon of the home; starts one if there is none.
///
/// # Errors
/// If the home cannot be used, or the daemon does not answer.
pub async fn connect_or_start(home: &Home) -> Result<Client, Failure> {
    if let Some(client) = connect(home).await? {
        return Ok(client);
    }
    home.prepare()?;
    let starting = lock::wait(&home.start_lock()).map_err(|error| home.failed("lock", &error))?;
    if let Some(client) = connect(home).await? {
        return Ok(client);
    }
    let log_length = spawn_keeper(home, claim(home)?)?;
    drop(starting);
    let mut client = Client::connect(home.path())
        .await
        .map_err(|error| died(home, log_length, error))?;
    // One request more, and only by who started the daemon: so that a daemon that cannot run is
    // told as such, with what it wrote, and not as a broken request.
    let version = client
        .version_at_once()
        .await
        .map_err(|error| died(home, log_length, error))?;
    for line in survivors(&version.survivors) {
        remark(&line);
    }
    Ok(client)
}

/// The daemon of the home, if there is one. A supervisor without a keeper is none, although it may hold the socket:
/// it is about to end, or hangs.
///
/// # Errors
/// If it does not answer.
pub async fn connect(home: &Home) -> Result<Option<Client>, Failure> {
    let lock = home.daemon_lock();
    if lock.exists() && matches!(lock::attempt(&lock), Ok(Some(_))) {
        return Ok(None);
    }
    match Client::connect(home.path()).await {
        Err(error) if error.is_absent() => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// Becomes the daemon of the home, with the request to begin with; in the foreground what apps write goes to this
/// terminal. Returns only if that fails.
///
/// # Errors
/// If a daemon runs already, or the home cannot be used.
pub async fn run_in_place(
    home: &Home,
    boot: &[u8],
    foreground: bool,
) -> Result<std::convert::Infallible, Failure> {
    home.prepare()?;
    let _starting = lock::wait(&home.start_lock()).map_err(|error| home.failed("lock", &error))?;
    if connect(home).await?.is_some() {
        return Err(runs_already(home));
    }
    let claim = claim(home)?;
    write_pid(&claim.lock, std::process::id());
    let fail = |error: io::Error| {
        Failure::new(ExitCode::NoDaemon, "cannot become the daemon").because(&error)
    };
    let boot = memfd::sealed("rota-boot", boot).map_err(fail)?;
    let args = KeeperArgs {
        home: home.path().to_owned(),
        api_fd: keep_on_exec(&claim.api).map_err(fail)?,
        lock_fd: keep_on_exec(&claim.lock).map_err(fail)?,
        boot_fd: Some(keep_on_exec(&boot).map_err(fail)?),
        foreground,
    };
    let error = Command::new(SELF)
        .arg0("rota")
        .arg(entry::KEEPER)
        .args(args.to_args())
        .env("ROTA_HOME", home.path())
        .exec();
    Err(fail(error))
}

/// Waits until the daemon has let go of its lock: then every process of it is gone.
///
/// # Errors
/// If it does not within [`LOCK_LIMIT`].
pub fn wait_until_gone(home: &Home) -> Result<(), Failure> {
    take_lock(home).map(drop)
}

/// Takes the lock, and the socket's place; the caller holds `start.lock`.
fn claim(home: &Home) -> Result<Claim, Failure> {
    let lock = take_lock(home)?;
    match std::fs::remove_file(home.socket()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(home.failed("remove the stale socket in", &error));
        }
        _ => {}
    }
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(home.socket());
    rustix::process::umask(before);
    let listener = listener.map_err(|error| home.failed("make the socket in", &error))?;
    Ok(Claim {
        api: listener.into(),
        lock,
    })
}

/// Takes `daemon.lock`; waits a moment for a daemon that is just going down.
fn take_lock(home: &Home) -> Result<OwnedFd, Failure> {
    let path = home.daemon_lock();
    let failed = |error: io::Error| home.failed("lock", &error);
    if let Some(lock) = lock::attempt(&path).map_err(failed)? {
        return Ok(lock);
    }
    // The kernel has no time limit for it: another thread waits, and ends with this process.
    let (sender, receiver) = mpsc::channel();
    let waiting = path.clone();
    std::thread::spawn(move || sender.send(lock::wait(&waiting)));
    match receiver.recv_timeout(LOCK_LIMIT) {
        Ok(lock) => lock.map_err(failed),
        Err(_) => Err(socketless(home)),
    }
}

/// Starts the keeper in the background; gives the length that its log had before.
fn spawn_keeper(home: &Home, claim: Claim) -> Result<u64, Failure> {
    let fail = |error: &dyn std::error::Error| {
        Failure::new(ExitCode::NoDaemon, "cannot start the daemon").because(error)
    };
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(home.daemon_log())
        .map_err(|error| home.failed("write daemon.log in", &error))?;
    let log_length = log.metadata().map_or(0, |meta| meta.len());
    let args = KeeperArgs {
        home: home.path().to_owned(),
        api_fd: API_FD,
        lock_fd: LOCK_FD,
        boot_fd: None,
        foreground: false,
    };
    let mut spawn = Spawn::new(SELF)
        .arg(entry::KEEPER)
        .fd(&log, 1)
        .fd(&log, 2)
        .fd(&claim.api, API_FD)
        .fd(&claim.lock, LOCK_FD);
    spawn.argv0 = Some(OsString::from("rota"));
    spawn.args.extend(args.to_args());
    // Whoever waits for notices waits for its own child's, which this one is not.
    spawn.env = std::env::vars_os()
        .filter(|(name, _)| !OF_THE_MANAGER.iter().any(|own| name == own))
        .collect();
    spawn.env.push(("ROTA_HOME".into(), home.path().into()));
    // Not to stand in the way of a file system that is to be unmounted.
    spawn.cwd = Some("/".into());
    spawn.new_session = true;
    let pid = spawn.start().map_err(|error| fail(&error))?;
    write_pid(&claim.lock, pid);
    Ok(log_length)
}

/// For people who look into the file; the lock itself is what counts.
fn write_pid(lock: &OwnedFd, pid: u32) {
    let Ok(file) = lock.try_clone().map(File::from) else {
        return;
    };
    let text = format!("{pid}\n");
    let _only_for_people = file
        .set_len(0)
        .and_then(|()| file.write_all_at(text.as_bytes(), 0));
}

/// The pid in the lock file, for messages.
fn daemon_pid(home: &Home) -> String {
    let text = std::fs::read_to_string(home.daemon_lock()).unwrap_or_default();
    match text.trim().parse::<u32>() {
        Ok(pid) => format!(" (pid {pid})"),
        Err(_) => String::new(),
    }
}

fn runs_already(home: &Home) -> Failure {
    let text = format!(
        "a daemon{} runs already in {}",
        daemon_pid(home),
        home.path().display()
    );
    Failure::new(ExitCode::AlreadyRunning, text).hint(
        "give the app to it with `rota start`, stop it with `rota kill`, or set ROTA_HOME to another folder",
    )
}

fn socketless(home: &Home) -> Failure {
    let text = format!(
        "a daemon{} lives in {}, but its socket is gone",
        daemon_pid(home),
        home.path().display()
    );
    Failure::new(ExitCode::NoDaemon, text).hint(
        "somebody removed rota.sock: stop that process (SIGTERM stops its apps too) and start anew",
    )
}

/// The daemon did not come up: what it wrote says why.
fn died(home: &Home, log_length: u64, error: ClientError) -> Failure {
    let mut failure = Failure::new(ExitCode::NoDaemon, "the daemon did not start").because(&error);
    failure.detail = new_lines(home, log_length).unwrap_or_default();
    failure.hint(format!("its log: {}", home.daemon_log().display()))
}

/// The last lines of the daemon's log beyond `from`.
fn new_lines(home: &Home, from: u64) -> io::Result<Vec<String>> {
    const LINES: usize = 10;
    let mut log = File::open(home.daemon_log())?;
    log.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    log.take(64 * 1024).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    Ok(lines[lines.len().saturating_sub(LINES)..].to_vec())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn home(folder: &tempfile::TempDir) -> Home {
        let home = Home::of(folder.path().join("h"));
        home.prepare().unwrap();
        home
    }

    #[test]
    fn a_claim_replaces_a_stale_socket_and_listens_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        drop(UnixListener::bind(home.socket()).unwrap());
        assert!(UnixStream::connect(home.socket()).is_err(), "it is stale");
        let claim = claim(&home).unwrap();
        UnixStream::connect(home.socket()).unwrap();
        let mode = std::fs::metadata(home.socket())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(claim);
    }

    #[test]
    fn a_claim_waits_for_a_daemon_that_is_going_down() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let old = claim(&home).unwrap();
        write_pid(&old.lock, 4711);
        assert_eq!(daemon_pid(&home), " (pid 4711)");
        let waiting = {
            let home = home.clone();
            std::thread::spawn(move || claim(&home).is_ok())
        };
        drop(old);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn of_the_log_only_what_is_new_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        std::fs::write(home.daemon_log(), "old\nnew 1\nnew 2\n").unwrap();
        assert_eq!(new_lines(&home, 4).unwrap(), ["new 1", "new 2"]);
        assert!(new_lines(&home, 99).unwrap().is_empty());
    }

    #[test]
    fn many_claims_at_once_have_one_winner_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let home = home(&folder);
        let held = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let starting = lock::wait(&home.start_lock()).unwrap();
                    let lock = take_lock(&home).unwrap();
                    assert_eq!(held.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    drop(starting);
                    held.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    drop(lock);
                });
            }
        });
    }
}
