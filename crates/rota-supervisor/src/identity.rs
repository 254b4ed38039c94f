//! Who the workers of an app are: from names to numbers, before anything is started.

use std::io;

use rota_config::ProcessSpec;
use rota_sys::accounts::{Accounts, User};
use rota_sys::fs_user::FsUser;
use serde::{Deserialize, Serialize};

/// Another user than the daemon's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
    /// What the environment says of the user, if one was named and `/etc/passwd` knows it.
    pub login: Option<Login>,
}

/// What the environment says of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// `USER` and `LOGNAME`.
    pub name: String,
    /// `HOME`.
    pub home: String,
    /// `SHELL`.
    pub shell: String,
}

impl Person {
    /// For what is done to files on behalf of such a worker.
    pub(crate) fn fs_user(&self) -> FsUser {
        FsUser {
            uid: self.uid,
            gid: self.gid,
            groups: self.groups.clone(),
        }
    }
}

/// Why an app cannot be run as somebody.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The daemon has no right to it.
    #[error("only root can run workers as another user or with other groups")]
    NotRoot,
    /// The user is not known.
    #[error("there is no user `{0}` in /etc/passwd")]
    NoUser(String),
    /// The group is not known.
    #[error("there is no group `{0}` in /etc/group")]
    NoGroup(String),
    /// A number without an entry says nothing of its group.
    #[error("the user {0} is not in /etc/passwd, so its group is not known")]
    GroupMissing(u32),
    /// One of the files cannot be read.
    #[error("the users of this system cannot be read: {0}")]
    Unreadable(#[from] io::Error),
}

impl IdentityError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotRoot => "start the daemon as root, or leave --user, --group and --groups out",
            Self::NoUser(_) | Self::NoGroup(_) => {
                "only these files are read, not LDAP or the like: a number always works"
            }
            Self::GroupMissing(_) => "name the group too: --group",
            Self::Unreadable(_) => "name user and groups by number",
        }
    }
}

/// Who the workers are; `None`: the same as the daemon.
///
/// # Errors
/// A name that means nobody, or no right to be somebody else.
pub fn of(spec: &ProcessSpec) -> Result<Option<Person>, IdentityError> {
    if !spec.names_somebody() {
        return Ok(None);
    }
    let own = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    let person = look_up(spec, &Accounts::read()?, own.0)?;
    if own.0 == 0 {
        return Ok(Some(person));
    }
    // Its own user, by name: nothing to be done, and nothing that could fail.
    let same = own == (person.uid, person.gid) && spec.groups.is_none();
    if same {
        Ok(None)
    } else {
        Err(IdentityError::NotRoot)
    }
}

fn look_up(spec: &ProcessSpec, accounts: &Accounts, own: u32) -> Result<Person, IdentityError> {
    let (uid, user) = match &spec.user {
        None => (own, accounts.user_of(own)),
        Some(text) => match number(text) {
            Some(uid) => (uid, accounts.user_of(uid)),
            None => {
                let user = accounts.user(text);
                let user = user.ok_or_else(|| IdentityError::NoUser(text.clone()))?;
                (user.uid, Some(user))
            }
        },
    };
    let gid = match &spec.group {
        Some(text) => group(accounts, text)?,
        None => user
            .map(|user| user.gid)
            .ok_or(IdentityError::GroupMissing(uid))?,
    };
    let groups = match &spec.groups {
        Some(names) => names
            .iter()
            .map(|name| group(accounts, name))
            .collect::<Result<_, _>>()?,
        None => user.map_or(Vec::new(), |user| accounts.groups_of(&user.name)),
    };
    Ok(Person {
        uid,
        gid,
        groups,
        login: user.filter(|_| spec.user.is_some()).map(login),
    })
}

fn login(user: &User) -> Login {
    let shell = Some(user.shell.as_str()).filter(|shell| !shell.is_empty());
    Login {
        name: user.name.clone(),
        home: user.home.clone(),
        shell: shell.unwrap_or("/bin/sh").to_owned(),
    }
}

fn group(accounts: &Accounts, text: &str) -> Result<u32, IdentityError> {
    number(text)
        .or_else(|| accounts.group(text))
        .ok_or_else(|| IdentityError::NoGroup(text.to_owned()))
}

/// An id. Not the last one: to the kernel that is "leave it as it is".
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|number| digits && *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(spec: &ProcessSpec) -> Result<Person, IdentityError> {
        let accounts = Accounts::parse(
            "root:x:0:0::/root:/bin/bash\nweb:x:33:34::/var/www:\n",
            "root:x:0:\nweb:x:34:\nssl:x:110:web\nlog:x:111:\n",
        );
        look_up(spec, &accounts, 0)
    }

    fn user(text: &str) -> ProcessSpec {
        ProcessSpec {
            user: Some(text.into()),
            ..ProcessSpec::default()
        }
    }

    #[test]
    fn a_user_brings_its_groups_and_its_home() {
        for text in ["web", "33"] {
            let person = found(&user(text)).unwrap();
            assert_eq!((person.uid, person.gid), (33, 34));
            assert_eq!(person.groups, [110]);
            let login = person.login.unwrap();
            assert_eq!(
                (
                    login.name.as_str(),
                    login.home.as_str(),
                    login.shell.as_str()
                ),
                ("web", "/var/www", "/bin/sh")
            );
        }
    }

    #[test]
    fn groups_can_be_named() {
        let spec = ProcessSpec {
            group: Some("ssl".into()),
            groups: Some(vec!["log".into(), "7".into()]),
            ..user("4711")
        };
        let person = found(&spec).unwrap();
        assert_eq!((person.uid, person.gid), (4711, 110));
        assert_eq!(person.groups, [111, 7]);
        assert_eq!(person.login, None);
        let spec = ProcessSpec {
            group: Some("log".into()),
            ..ProcessSpec::default()
        };
        let person = found(&spec).unwrap();
        assert_eq!((person.uid, person.gid, person.login), (0, 111, None));
    }

    #[test]
    fn what_means_nobody_is_told() {
        for (spec, words) in [
            (user("wbe"), "no user `wbe`"),
            (user("4711"), "its group is not known"),
            // The kernel would leave root as it is.
            (user("4294967295"), "no user"),
            (user("+33"), "no user"),
            (
                ProcessSpec {
                    group: Some("4294967295".into()),
                    ..user("web")
                },
                "no group",
            ),
        ] {
            let error = found(&spec).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.hint().is_empty());
        }
    }
}
