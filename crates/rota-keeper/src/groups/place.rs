//! The directory in which children get their groups.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rota_sys::cgroup::{self, Group};
use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::controllers::{self, Controllers};
use crate::hash::fnv;

/// Where control groups are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Where {
    /// In the group that the keeper is started in.
    #[default]
    Own,
    /// Nowhere.
    Nowhere,
    /// In the group of this directory, which somebody has made for rota.
    At(PathBuf),
}

impl Where {
    /// By the environment.
    #[must_use]
    pub fn from_env() -> Self {
        Self::of(std::env::var_os("ROTA_CGROUP"))
    }

    fn of(variable: Option<OsString>) -> Self {
        match variable {
            None => Self::Own,
            Some(text) if text.is_empty() => Self::Own,
            Some(text) if text == "none" => Self::Nowhere,
            Some(path) => Self::At(path.into()),
        }
    }
}

/// Why something is not there, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lack {
    pub why: String,
    pub hint: Option<String>,
}

impl Lack {
    pub(super) fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        let (why, hint) = (why.into(), hint.into());
        let hint = Some(hint).filter(|hint| !hint.is_empty());
        Self { why, hint }
    }
}

pub(super) const DELEGATE: &str = "let systemd delegate a control group to rota (Delegate=yes in its unit), or name one that is its own: ROTA_CGROUP=/sys/fs/cgroup/...";

/// Where this keeper makes groups.
#[derive(Debug)]
pub(super) struct Place {
    /// What was there.
    pub base: Group,
    /// The keeper's own group in it.
    pub top: Group,
    pub controllers: Controllers,
}

/// What the names of the groups of a home's keepers begin with: `rota-HASH-`.
#[must_use]
pub fn group_prefix(home: &Path) -> String {
    // Containers that share a group may each have a home of that name.
    let folder = std::fs::metadata(home).map_or((0, 0), |file| (file.dev(), file.ino()));
    let parts = [
        home.as_os_str().as_bytes(),
        &folder.0.to_le_bytes(),
        &folder.1.to_le_bytes(),
    ];
    format!("rota-{:016x}-", fnv(&parts.concat()))
}

impl Place {
    /// Makes it. The second is what it lacks, if anything.
    pub(super) fn make(place: &Where, home: &Path) -> Result<(Self, Option<Lack>), Lack> {
        let base = base(place)?;
        let prefix = group_prefix(home);
        remove_remains(&base, &prefix);
        let top = make_top(&base, &prefix)?;
        let (controllers, lack) = controllers::turn_on(&base, &top);
        let place = Self {
            base,
            top,
            controllers,
        };
        Ok((place, lack))
    }

    /// Takes everything back that was done for it.
    pub(super) fn dissolve(&self) {
        self.controllers.turn_off(&self.base, &self.top);
        self.top.remove();
    }
}

fn base(place: &Where) -> Result<Group, Lack> {
    let group = match place {
        Where::Nowhere => return Err(Lack::new("ROTA_CGROUP is none", "")),
        Where::At(path) => Group::at(path),
        Where::Own => {
            let own = cgroup::own().map_err(|error| Lack::new(error.to_string(), ""))?;
            Group::at(own)
        }
    };
    let name = group.path().display();
    if !group.path().is_absolute() || !group.has("cgroup.controllers") {
        let why = format!("{name} is no control group of version 2");
        return Err(Lack::new(why, DELEGATE));
    }
    // To move a process, one must be allowed to write to the group above both places.
    let own = cgroup::own().ok();
    let common = own.iter().find_map(|own| {
        let mut both = cgroup::parents(group.path()).filter(|path| own.starts_with(path));
        both.next()
    });
    if let Some(common) = common
        && let Err(error) = access(common.join("cgroup.procs"), Access::WRITE_OK)
    {
        return Err(no_right(&name.to_string(), error));
    }
    Ok(group)
}

fn no_right(name: &str, error: Errno) -> Lack {
    if error == Errno::ROFS {
        return Lack::new(
            format!("{name} is mounted read-only"),
            "give the container a cgroup mount of its own that it may write to",
        );
    }
    let user = rustix::process::geteuid().as_raw();
    let why = format!("the control group {name} is not delegated to the user {user}");
    Lack::new(why, DELEGATE)
}

fn make_top(base: &Group, prefix: &str) -> Result<Group, Lack> {
    let name = base.path().display().to_string();
    let pid = std::process::id();
    let mut error = io::Error::from(Errno::EXIST);
    // What an earlier keeper of that number has left may still be inhabited.
    for attempt in 0..64 {
        let own = match attempt {
            0 => format!("{prefix}{pid}"),
            more => format!("{prefix}{pid}.{more}"),
        };
        match base.make(&own) {
            Ok(top) if is_domain(&top) => return Ok(top),
            Ok(top) => {
                top.remove();
                return Err(Lack::new(
                    format!("{name} is a threaded control group"),
                    DELEGATE,
                ));
            }
            Err(failed) => error = failed,
        }
        if error.kind() != io::ErrorKind::AlreadyExists {
            break;
        }
    }
    Err(match Errno::from_io_error(&error) {
        Some(error @ (Errno::ROFS | Errno::ACCESS | Errno::PERM)) => no_right(&name, error),
        _ => Lack::new(
            format!("no control group can be made in {name}: {error}"),
            "",
        ),
    })
}

fn is_domain(group: &Group) -> bool {
    group.get("cgroup.type").is_ok_and(|kind| kind == "domain") || !group.has("cgroup.type")
}

/// Nobody else has this home, so a keeper of its that has left groups is dead. What is inhabited stays: workers that
/// serve on without their keeper.
fn remove_remains(base: &Group, prefix: &str) {
    for group in base.below() {
        let name = group.path().file_name().unwrap_or_default();
        if name.as_bytes().starts_with(prefix.as_bytes()) {
            group.remove();
        }
    }
}
