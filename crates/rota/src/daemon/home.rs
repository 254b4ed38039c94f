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

    /// That folder, an absolute path.
    pub fn of(path: PathBuf) -> Self {
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

    /// Makes the folder, for its owner alone, and checks that it is usable. Others who may read it only are
    /// shut out; where others could write, what is in it may not be ours: that is for people to look at.
    ///
    /// # Errors
    /// If it cannot be made, is no folder, belongs to somebody else, others may write to it or replace it, or its
    /// path is too long for a socket.
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
        let user = rustix::process::geteuid().as_raw();
        self.check_owner(meta.uid(), user)?;
        self.check_writers(meta.permissions().mode())?;
        self.check_way(user)?;
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

    fn check_writers(&self, mode: u32) -> Result<(), Failure> {
        if mode & 0o022 == 0 {
            return Ok(());
        }
        let path = self.path.display();
        let text = format!(
            "others may write to {path} (mode {:04o}): what is in it may not be yours",
            mode & 0o7777
        );
        Err(unusable(text).hint(format!(
            "look at what is in it, then chmod 700 {path}; or set ROTA_HOME to another folder"
        )))
    }

    /// Whether somebody else can put another folder in its place: a link that is theirs, or a folder above it
    /// that everybody may write to without the sticky bit of /tmp.
    fn check_way(&self, user: u32) -> Result<(), Failure> {
        let look = |path: &Path| fs::symlink_metadata(path).map_err(|e| self.failed("look at", &e));
        let own = look(&self.path)?;
        if own.is_symlink() && own.uid() != user && own.uid() != 0 {
            let text = format!(
                "{} is a link that somebody else has made (the user with the id {})",
                self.path.display(),
                own.uid()
            );
            return Err(unusable(text).hint("set ROTA_HOME to a folder of your own"));
        }
        let real = fs::canonicalize(&self.path).map_err(|error| self.failed("look at", &error))?;
        for above in real.ancestors().skip(1) {
            let mode = look(above)?.permissions().mode();
            if mode & 0o1002 == 0o002 {
                let text = format!(
                    "everybody may replace {}: {} has the mode {:04o}",
                    self.path.display(),
                    above.display(),
                    mode & 0o7777
                );
                return Err(unusable(text).hint(format!(
                    "chmod o-w {}, or set ROTA_HOME to another folder",
                    above.display()
                )));
            }
        }
        Ok(())
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
    fn a_home_that_others_may_write_to_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home {
            path: folder.path().join("a/b"),
        };
        home.prepare().unwrap();
        let chmod = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        };
        for mode in [0o777, 0o770, 0o702, 0o1777] {
            chmod(&home.path, mode);
            let failure = home.prepare().unwrap_err();
            assert!(failure.message.contains("others may write"), "{failure:?}");
            assert!(failure.hint.unwrap().contains("chmod 700"));
        }
        chmod(&home.path, 0o755);
        home.prepare().unwrap();
        chmod(&folder.path().join("a"), 0o777);
        let failure = home.prepare().unwrap_err();
        assert!(failure.message.contains("may replace"), "{failure:?}");
        chmod(&folder.path().join("a"), 0o1777);
        home.prepare().unwrap();
    }

    #[test]
    fn a_link_of_ones_own_may_be_the_home() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        let path = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("real"), &path).unwrap();
        Home { path: path.clone() }.prepare().unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::lchown(&path, Some(54_321), None).unwrap();
            let failure = Home { path }.prepare().unwrap_err();
            assert!(failure.message.contains("somebody else"), "{failure:?}");
        } else {
            println!("only root can make a link of somebody else's: not tested");
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
