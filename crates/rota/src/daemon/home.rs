//! `ROTA_HOME`: where a daemon has its socket, its locks and its logs.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rota_api::ExitCode;

use crate::failure::Failure;

/// The folder of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    path: PathBuf,
}

/// `sun_path` has 108 bytes, the last one is zero.
const MAX_SOCKET_PATH: usize = 107;

impl Home {
    /// `ROTA_HOME`, or `.rota` in the user's home.
    ///
    /// # Errors
    /// A sentence, if neither is set.
    pub fn from_env() -> Result<Self, String> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let path = match (set("ROTA_HOME"), set("HOME")) {
            (Some(path), _) => PathBuf::from(path),
            (None, Some(home)) => Path::new(&home).join(".rota"),
            (None, None) => return Err("neither ROTA_HOME nor HOME is set".to_owned()),
        };
        let path = std::path::absolute(&path)
            .map_err(|error| format!("the path {} cannot be used: {error}", path.display()))?;
        Ok(Self { path })
    }

    /// A folder of a test.
    #[cfg(test)]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The API socket.
    pub fn socket(&self) -> PathBuf {
        rota_api::paths::socket(&self.path)
    }

    /// Held while a daemon is being started.
    pub fn start_lock(&self) -> PathBuf {
        self.path.join("start.lock")
    }

    /// Held by the daemon; its pid stands in it, for people only.
    pub fn daemon_lock(&self) -> PathBuf {
        self.path.join("daemon.lock")
    }

    /// What the daemon itself has to say.
    pub fn daemon_log(&self) -> PathBuf {
        self.path.join("daemon.log")
    }

    /// Makes the folder, for its owner alone, and checks that it is usable.
    ///
    /// # Errors
    /// If it cannot be made, is no folder, belongs to somebody else, or its path is too long for a
    /// socket.
    pub fn prepare(&self) -> Result<(), Failure> {
        let length = self.socket().as_os_str().len();
        if length > MAX_SOCKET_PATH {
            let text = format!(
                "the path of the socket is too long: {} has {length} bytes, a socket may have {MAX_SOCKET_PATH}",
                self.socket().display()
            );
            return Err(unusable(text).hint("choose a shorter ROTA_HOME"));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(|error| self.failed("make", &error))?;
        let meta = fs::metadata(&self.path).map_err(|error| self.failed("look at", &error))?;
        self.check_owner(meta.uid(), rustix::process::geteuid().as_raw())?;
        if meta.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(&self.path, Permissions::from_mode(0o700))
                .map_err(|error| self.failed("protect", &error))?;
        }
        Ok(())
    }

    fn check_owner(&self, owner: u32, user: u32) -> Result<(), Failure> {
        if owner == user {
            return Ok(());
        }
        let text = format!(
            "{} belongs to the user with the id {owner}, not to this one ({user})",
            self.path.display()
        );
        Err(unusable(text)
            .hint("use that user (sudo -u), or set ROTA_HOME to a folder of your own"))
    }

    /// A failure with the folder or one of its files.
    pub fn failed(&self, what: &str, error: &io::Error) -> Failure {
        unusable(format!("cannot {what} {}", self.path.display()))
            .because(error)
            .hint("set ROTA_HOME to a folder that you may write to")
    }
}

fn unusable(text: String) -> Failure {
    Failure::new(ExitCode::NoDaemon, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_made_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home {
            path: folder.path().join("a/b"),
        };
        home.prepare().unwrap();
        let mode = || fs::metadata(&home.path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o700);
        fs::set_permissions(&home.path, Permissions::from_mode(0o755)).unwrap();
        home.prepare().unwrap();
        assert_eq!(mode(), 0o700);
    }

    #[test]
    fn what_cannot_be_a_home_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for (path, words) in [
            (folder.path().join("file"), "cannot make"),
            (folder.path().join("file/below"), "cannot make"),
            (folder.path().join("x".repeat(120)), "too long"),
        ] {
            let failure = Home { path }.prepare().unwrap_err();
            assert_eq!(failure.code, ExitCode::NoDaemon);
            assert!(failure.message.contains(words), "{failure:?}");
            assert!(failure.hint.is_some());
        }
    }

    #[test]
    fn somebody_elses_home_is_refused() {
        let home = Home {
            path: PathBuf::from("/srv/rota"),
        };
        assert!(home.check_owner(1000, 1000).is_ok());
        let failure = home.check_owner(1000, 0).unwrap_err();
        assert!(
            failure.message.contains("/srv/rota belongs to"),
            "{failure:?}"
        );
    }
}
