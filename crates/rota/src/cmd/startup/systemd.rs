//! The unit.

use std::path::{Path, PathBuf};

use super::service::Service;
use super::{Extras, MARK};

/// What takes something away from the daemon and its apps. Of a service that is not root's any of it includes
/// `NoNewPrivileges`.
const HARDENING: [&str; 9] = [
    "NoNewPrivileges=yes",
    "ProtectSystem=full",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectHostname=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
];

/// How many listening sockets systemd keeps while the daemon is started again.
const SOCKETS_MAX: u32 = 1024;

/// Those that take nothing from apps of root's daemon that apps need.
const OF_ROOT: [&str; 3] = [
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectHostname=yes",
];

/// The most important: a user's systemd can do no more without a file system of its own.
const OF_USERS: [&str; 4] = [
    "NoNewPrivileges=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
];

/// Where units go.
pub(super) fn folder(service: &Service) -> PathBuf {
    if !service.user_level {
        return service.root.join("etc/systemd/system");
    }
    let set = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let set = set.filter(|path| path.is_absolute() && service.live);
    let below = |path: &Path| service.root.join(path.strip_prefix("/").unwrap_or(path));
    let config = set.unwrap_or_else(|| below(&service.folder.join(".config")));
    config.join("systemd/user")
}

/// The unit's text.
pub(super) fn unit(service: &Service, extras: Extras) -> String {
    let mut text = format!(
        "# {MARK}; `rota unstartup` removes it.\n\
         # At boot, and after an end that nobody has asked for, what ran runs again. `rota kill` ends the service.\n\n"
    );
    text.push_str(&head(service));
    text.push_str(&starting(service));
    text.push_str(&stopping());
    text.push_str(&keeping(extras));
    text.push_str(&resources(service));
    text.push_str(&hardening(service, extras.harden));
    let target = match service.user_level {
        true => "default.target",
        false => "multi-user.target",
    };
    text.push_str(&format!("\n[Install]\nWantedBy={target}\n"));
    text
}

fn head(service: &Service) -> String {
    let network = match service.user_level {
        // A user's systemd has no such target.
        true => "",
        false => "Wants=network-online.target\nAfter=network-online.target\n",
    };
    format!(
        "[Unit]\nDescription=rota: {}\n{network}\
         # It never gives up: the pause between two attempts is RestartSec.\n\
         StartLimitIntervalSec=0\n\n",
        service.owner()
    )
}

fn starting(service: &Service) -> String {
    let user = match service.user_level {
        true => String::new(),
        // A home on a disk that is not there is told of by the daemon itself.
        false => format!(
            "User={}\nWorkingDirectory=-{}\n",
            service.user,
            service.folder.display()
        ),
    };
    let program = quoted(&service.program);
    format!(
        "[Service]\nType=notify\n\
         # The main process is rota's keeper. What apps say on its behalf is not believed.\n\
         NotifyAccess=main\n\
         {user}\
         # Each app has the environment that it was started with, PATH included: a node of nvm's is found again.\n\
         Environment=\"ROTA_HOME={}\"\n\
         ExecStart={program} daemon\n\
         # New workers for all apps that run, one by one; how it goes stands in the journal.\n\
         ExecReload=/bin/kill -HUP $MAINPID\n\
         # Workers that a killed daemon has left are ended before it is ready.\n\
         TimeoutStartSec=120\n\
         # Whatever ends it with a success was meant: `rota kill`, `systemctl stop`. Everything else was not.\n\
         Restart=on-failure\n\
         RestartSec=2\n\
         # 6: a daemon that somebody has started by hand runs in this home. `rota kill` ends that one.\n\
         RestartPreventExitStatus=6\n",
        service.home.display()
    )
}

fn stopping() -> String {
    "# The keeper alone gets the signal, and lets the workers finish; what is left then is killed.\n\
     KillMode=mixed\n\
     # When it stops it asks for as long as the slowest of its apps may take (EXTEND_TIMEOUT_USEC).\n\
     TimeoutStopSec=90\n\
     # Workers get control groups of their own.\n\
     Delegate=yes\n\
     # One worker that is out of memory is rota's business.\n\
     OOMPolicy=continue\n"
        .to_owned()
}

/// What systemd has of a daemon that is killed, and how it knows of one that hangs.
fn keeping(extras: Extras) -> String {
    let mut text = format!(
        "# The apps' listening sockets stay open while the daemon is started again: clients wait instead of being refused.\n\
         FileDescriptorStoreMax={SOCKETS_MAX}\n\
         # What systemd itself says since version 254.\n\
         Environment=\"FDSTORE={SOCKETS_MAX}\"\n"
    );
    match extras.watchdog {
        Some(time) => text.push_str(&format!("WatchdogSec={}ms\n", time.as_millis())),
        None => text.push_str(
            "# As by --watchdog. Not on unasked: a machine that stands still for longer would lose all workers by it.\n\
             #WatchdogSec=2min\n",
        ),
    }
    text
}

fn resources(service: &Service) -> String {
    match service.user_level {
        // What it has is what the system gives to users.
        true => String::new(),
        false => "LimitNOFILE=524288\nTasksMax=infinity\n".to_owned(),
    }
}

fn hardening(service: &Service, harden: bool) -> String {
    let all: &[&str] = match service.user_level {
        true => &OF_USERS,
        false => &HARDENING,
    };
    if harden {
        return format!(
            "# --harden: sudo and setuid programs do not work in apps.\n{}\n",
            all.join("\n")
        );
    }
    let mut text = String::new();
    let root = service.uid == 0 && !service.user_level;
    if root {
        text.push_str(&format!("{}\n", OF_ROOT.join("\n")));
    }
    text.push_str(
        "# More, as by --harden. Not on unasked: sudo and setuid programs would not work in apps, and what apps\n\
         # write below /usr, /boot and /etc would fail. An app with `--user` has NoNewPrivileges by rota.\n",
    );
    for line in all.iter().filter(|line| !(root && OF_ROOT.contains(line))) {
        text.push_str(&format!("#{line}\n"));
    }
    text
}

/// For a command line in a unit. What would need more than quotes was refused before.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    match text.contains(char::is_whitespace) {
        true => format!("\"{text}\""),
        false => text,
    }
}
