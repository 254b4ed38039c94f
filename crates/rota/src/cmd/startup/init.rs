//! Which kind of system starts services here.

use std::fmt;
use std::path::Path;

use rota_api::ExitCode;

use crate::args::{InitSystem, StartupPlace};
use crate::failure::{Failure, Stop};

/// Who starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Init {
    /// systemd.
    Systemd,
    /// OpenRC.
    OpenRc,
    /// Scripts in `/etc/init.d`, with an LSB header.
    Sysv,
}

impl Init {
    /// What was said, or what runs.
    ///
    /// # Errors
    /// When it cannot be told.
    pub(super) fn of(place: &StartupPlace) -> Result<Self, Stop> {
        let said = place.init.map(|said| match said {
            InitSystem::Systemd => Self::Systemd,
            InitSystem::Openrc => Self::OpenRc,
            InitSystem::Sysv => Self::Sysv,
        });
        let found = || match &place.root {
            None if place.user_level => Some(Self::Systemd),
            None => Self::running(Path::new("/")),
            Some(root) => Self::installed(root),
        };
        said.or_else(found).ok_or_else(|| {
            Failure::new(ExitCode::Failed, "cannot tell what starts services here")
                .hint("say it: --init systemd, openrc or sysv")
                .into()
        })
    }

    fn running(root: &Path) -> Option<Self> {
        let has = |path: &str| root.join(path).exists();
        if has("run/systemd/system") {
            return Some(Self::Systemd);
        }
        if has("run/openrc") {
            return Some(Self::OpenRc);
        }
        Self::installed(root)
    }

    fn installed(root: &Path) -> Option<Self> {
        let has = |path: &str| root.join(path).exists();
        if has("lib/systemd/systemd") || has("usr/lib/systemd/systemd") {
            Some(Self::Systemd)
        } else if has("sbin/openrc-run") || has("usr/sbin/openrc-run") {
            Some(Self::OpenRc)
        } else {
            has("etc/init.d").then_some(Self::Sysv)
        }
    }
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Systemd => "systemd",
            Self::OpenRc => "OpenRC",
            Self::Sysv => "an init script",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_runs_is_told_by_its_folders() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str| fs::create_dir_all(root.path().join(path)).unwrap();
        assert_eq!(Init::running(root.path()), None);
        make("etc/init.d");
        assert_eq!(Init::running(root.path()), Some(Init::Sysv));
        make("usr/sbin/openrc-run");
        assert_eq!(Init::running(root.path()), Some(Init::OpenRc));
        make("usr/lib/systemd/systemd");
        assert_eq!(Init::installed(root.path()), Some(Init::Systemd));
        make("run/openrc");
        assert_eq!(Init::running(root.path()), Some(Init::OpenRc));
        make("run/systemd/system");
        assert_eq!(Init::running(root.path()), Some(Init::Systemd));
    }
}
