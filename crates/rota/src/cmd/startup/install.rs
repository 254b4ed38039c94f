//! The writing of the file, and the words that switch the service on and off.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rota_api::ExitCode;

use super::init::Init;
use super::service::Service;
use super::{MARK, Plan};
use crate::failure::{Failure, Stop};

/// Only root changes what the system starts.
///
/// # Errors
/// For everybody else, with the command that root has to give.
pub(super) fn may_install(service: &Service, verb: &str) -> Result<(), Stop> {
    let root = rustix::process::geteuid().is_root();
    if root || service.user_level || !service.live {
        return Ok(());
    }
    let text = "only root can change what the system starts";
    Err(Failure::new(ExitCode::Failed, text)
        .hint(format!(
            "sudo env ROTA_HOME={} {} {verb} --user {}; or, for a service of your own: rota {verb} --user-level",
            service.home.display(),
            service.program.display(),
            service.user
        ))
        .into())
}

/// Writes the file and switches the service on; tells what was done.
///
/// # Errors
/// What could not be done, or a file that somebody else has written.
pub(super) fn install(
    init: Init,
    service: &Service,
    plan: &Plan,
    force: bool,
) -> Result<Vec<String>, Stop> {
    let path = &plan.path;
    let mut done = Vec::new();
    match fs::read_to_string(path) {
        Ok(text) if text == plan.text => {
            done.push(format!("{} is as it should be", path.display()))
        }
        Ok(text) if !text.contains(MARK) && !force => return Err(foreign(path, "overwrites")),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("read", path, &error));
        }
        _ => {
            write(plan).map_err(|error| failed("write", path, &error))?;
            done.push(format!("wrote {}", path.display()));
        }
    }
    for step in steps(init, service, true) {
        done.push(step.take()?);
    }
    Ok(done)
}

/// Switches the service off and removes the file. What runs goes on.
///
/// # Errors
/// As [`install`].
pub(super) fn remove(
    init: Init,
    service: &Service,
    plan: &Plan,
    force: bool,
) -> Result<Vec<String>, Stop> {
    let path = &plan.path;
    match fs::read_to_string(path) {
        Ok(text) if !text.contains(MARK) && !force => return Err(foreign(path, "removes")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(vec![format!("there is no {}", path.display())]);
        }
        Err(error) => return Err(failed("read", path, &error)),
    }
    let mut done = Vec::new();
    let (before, after): (Vec<_>, Vec<_>) = steps(init, service, false)
        .into_iter()
        .partition(|step| !step.after);
    for step in before {
        done.push(step.take()?);
    }
    fs::remove_file(path).map_err(|error| failed("remove", path, &error))?;
    done.push(format!("removed {}", path.display()));
    for step in after {
        done.push(step.take()?);
    }
    Ok(done)
}

/// What is left to the user.
pub(super) fn next_steps(init: Init, service: &Service) -> Vec<String> {
    let mut next = vec!["at boot what ran runs again; nothing needs to be saved".to_owned()];
    if service.user_level {
        next.push(format!(
            "it starts when {0} logs in; from boot on with: loginctl enable-linger {0}",
            service.user
        ));
    }
    if !service.live {
        return next;
    }
    let name = &service.name;
    let start = match init {
        Init::Systemd if service.user_level => format!("systemctl --user start {name}"),
        Init::Systemd => format!("systemctl start {name}"),
        Init::OpenRc => format!("rc-service {name} start"),
        Init::Sysv => format!("/etc/init.d/{name} start"),
    };
    let lock = service.home.join("daemon.lock");
    let runs = lock.exists() && matches!(rota_sys::lock::attempt(&lock), Ok(None));
    next.push(match runs {
        true => format!("a daemon runs already; to put it under the service now (apps restart): rota kill, then {start}"),
        false => format!("to start it now: {start}"),
    });
    next
}

/// A word to the system: a command, or links where there is no command for it.
#[derive(Debug)]
struct Step {
    what: What,
    /// After the file is gone.
    after: bool,
}

#[derive(Debug)]
enum What {
    Call(Vec<String>),
    Link(PathBuf, PathBuf),
    Unlink(PathBuf),
}

fn steps(init: Init, service: &Service, on: bool) -> Vec<Step> {
    let name = service.name.as_str();
    match init {
        Init::Systemd => of_systemd(service, on),
        Init::OpenRc if service.live => {
            let words: &[&str] = match on {
                true => &["rc-update", "add", name, "default"],
                false => &["rc-update", "delete", name, "default"],
            };
            vec![call(words, false)]
        }
        Init::OpenRc => {
            let link = service.root.join("etc/runlevels/default").join(name);
            vec![linked(on, link, format!("/etc/init.d/{name}"))]
        }
        Init::Sysv if service.live && exists("update-rc.d") => match on {
            true => vec![call(&["update-rc.d", name, "defaults"], false)],
            // It wants the script to be gone.
            false => vec![call(&["update-rc.d", name, "remove"], true)],
        },
        Init::Sysv if service.live && exists("chkconfig") => {
            let verb = if on { "--add" } else { "--del" };
            vec![call(&["chkconfig", verb, name], false)]
        }
        Init::Sysv => runlevels(service, on),
    }
}

fn of_systemd(service: &Service, on: bool) -> Vec<Step> {
    let mut base = vec!["systemctl".to_owned()];
    if service.user_level {
        base.push("--user".to_owned());
    }
    if !service.live {
        base.push(format!("--root={}", service.root.display()));
    }
    let word = |words: &[&str], after| {
        let words = words.iter().map(|word| (*word).to_owned());
        let what = What::Call(base.iter().cloned().chain(words).collect());
        Step { what, after }
    };
    let unit = format!("{}.service", service.name);
    let switch = word(&[if on { "enable" } else { "disable" }, &unit], false);
    // Elsewhere there is nobody to be told.
    let runs = service.live && Path::new("/run/systemd/system").exists();
    let mut steps = Vec::new();
    if runs && on {
        steps.push(word(&["daemon-reload"], false));
    }
    steps.push(switch);
    if runs && !on {
        steps.push(word(&["daemon-reload"], true));
    }
    steps
}

/// The links that `update-rc.d` would make.
fn runlevels(service: &Service, on: bool) -> Vec<Step> {
    let name = &service.name;
    let link = |level: char, order: &str| {
        let link = format!("etc/rc{level}.d/{order}{name}");
        linked(on, service.root.join(link), format!("../init.d/{name}"))
    };
    let start = "2345".chars().map(|level| link(level, "S99"));
    let stop = "016".chars().map(|level| link(level, "K01"));
    start.chain(stop).collect()
}

fn linked(on: bool, link: PathBuf, target: String) -> Step {
    let what = match on {
        true => What::Link(link, target.into()),
        false => What::Unlink(link),
    };
    Step { what, after: false }
}

fn call(words: &[&str], after: bool) -> Step {
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let what = What::Call(words);
    Step { what, after }
}

fn exists(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).exists())
}

impl Step {
    fn take(self) -> Result<String, Stop> {
        match self.what {
            What::Call(words) => run(&words),
            What::Link(link, target) => {
                let folder = link.parent().unwrap_or(Path::new("/"));
                let made =
                    fs::create_dir_all(folder).and_then(|()| match symlink(&target, &link) {
                        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                        made => made,
                    });
                made.map_err(|error| failed("make", &link, &error))?;
                Ok(format!("made {}", link.display()))
            }
            What::Unlink(link) => match fs::remove_file(&link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(failed("remove", &link, &error))
                }
                _ => Ok(format!("removed {}", link.display())),
            },
        }
    }
}

fn run(words: &[String]) -> Result<String, Stop> {
    let line = words.join(" ");
    let Some((program, args)) = words.split_first() else {
        return Ok(line);
    };
    let output = Command::new(program).args(args).output().map_err(|error| {
        Failure::new(ExitCode::Failed, format!("cannot call `{line}`")).because(&error)
    })?;
    if output.status.success() {
        return Ok(format!("called {line}"));
    }
    let mut failure = Failure::new(
        ExitCode::Failed,
        format!("`{line}` failed ({})", output.status),
    );
    let said = String::from_utf8_lossy(&output.stderr);
    failure.detail = said.lines().map(str::to_owned).collect();
    Err(failure
        .hint("the file is there; give the command again when it can work")
        .into())
}

/// As a whole, so that nobody sees half a file.
fn write(plan: &Plan) -> io::Result<()> {
    let folder = plan.path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let draft = folder.join(".rota-startup.new");
    // Of a call that was broken off.
    let _ = fs::remove_file(&draft);
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(plan.mode)
        .open(&draft)?;
    file.write_all(plan.text.as_bytes())?;
    fs::set_permissions(
        &draft,
        std::os::unix::fs::PermissionsExt::from_mode(plan.mode),
    )?;
    fs::rename(&draft, &plan.path)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Stop {
    Failure::new(
        ExitCode::Failed,
        format!("cannot {what} {}", path.display()),
    )
    .because(error)
    .into()
}

fn foreign(path: &Path, does: &str) -> Stop {
    Failure::new(
        ExitCode::Failed,
        format!(
            "{} is there, and was not written by `rota startup`",
            path.display()
        ),
    )
    .hint(format!(
        "look at it; --force {does} it, --service-name chooses another name"
    ))
    .into()
}
