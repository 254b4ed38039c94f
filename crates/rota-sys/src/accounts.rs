//! Users and groups, as `/etc/passwd` and `/etc/group` have them.
//!
//! Only these files are read: what else a system's name service may know (LDAP, `systemd-userdb`) is out of
//! reach of a static binary. Numbers always work.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The most of a file that is read.
const MOST: u64 = 16 * 1024 * 1024;

/// A user of this system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The login name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The id of the primary group.
    pub gid: u32,
    /// The home folder.
    pub home: String,
    /// The login shell; empty if none is named.
    pub shell: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// Both files, read at one moment. Lines that are not understood are left out.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<Group>,
}

impl Accounts {
    /// Reads the files of this system. One that does not exist is empty.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read() -> io::Result<Self> {
        Ok(Self::parse(
            &text(Path::new("/etc/passwd"))?,
            &text(Path::new("/etc/group"))?,
        ))
    }

    /// From the contents of the two files.
    #[must_use]
    pub fn parse(passwd: &str, group: &str) -> Self {
        Self {
            users: passwd.lines().filter_map(user).collect(),
            groups: group.lines().filter_map(self::group).collect(),
        }
    }

    /// The user of that name; the first, as everywhere.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// The user of that id.
    #[must_use]
    pub fn user_of(&self, uid: u32) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    /// The id of the group of that name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<u32> {
        let group = self.groups.iter().find(|group| group.name == name);
        group.map(|group| group.gid)
    }

    /// The supplementary groups of the user of that name, sorted.
    #[must_use]
    pub fn groups_of(&self, name: &str) -> Vec<u32> {
        let groups = self.groups.iter();
        let mut ids: Vec<u32> = groups
            .filter(|group| group.members.iter().any(|member| member == name))
            .map(|group| group.gid)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(MOST).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `name:password:uid:gid:comment:home:shell`
fn user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let home = fields.nth(1).unwrap_or_default();
    let shell = fields.next().unwrap_or_default();
    Some(User {
        name: name.to_owned(),
        uid,
        gid,
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

/// `name:password:gid:member,member`
fn group(line: &str) -> Option<Group> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let gid = fields.nth(1)?.parse().ok()?;
    let members = fields.next().unwrap_or_default().split(',');
    Some(Group {
        name: name.to_owned(),
        gid,
        members: members
            .filter(|member| !member.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n# a comment\n\nweb:x:33:33:,,,:/var/www:/usr/sbin/nologin\n\
        web:x:99:99::/other:\nbad:x:-1:0::/:\nbig:x:99999999999:0::/:\n+::::::\nshort:x:7:8\n";
    const GROUP: &str =
        "root:x:0:\nweb:x:33:\nssl:x:110:web,mail\nadm:x:4:mail,web\nalso:x:110:web\nbad:x::web\n";

    #[test]
    fn users_and_groups_are_found() {
        let accounts = Accounts::parse(PASSWD, GROUP);
        let web = accounts.user("web").unwrap();
        assert_eq!((web.uid, web.gid), (33, 33));
        assert_eq!(
            (web.home.as_str(), web.shell.as_str()),
            ("/var/www", "/usr/sbin/nologin")
        );
        assert_eq!(accounts.user_of(0).unwrap().name, "root");
        assert_eq!(accounts.group("ssl"), Some(110));
        assert_eq!(accounts.groups_of("web"), [4, 110]);
        assert!(accounts.groups_of("nobody").is_empty());
    }

    #[test]
    fn lines_that_are_not_understood_are_left_out() {
        let accounts = Accounts::parse(PASSWD, GROUP);
        for name in ["bad", "big", "+", "# a comment", ""] {
            assert_eq!(accounts.user(name), None, "{name}");
        }
        assert_eq!(accounts.user("short").unwrap().home, "");
        assert_eq!(accounts.group("bad"), None);
    }

    #[test]
    fn this_system_has_root() {
        let accounts = Accounts::read().unwrap();
        assert_eq!(accounts.user_of(0).map(|user| user.uid), Some(0));
    }
}
