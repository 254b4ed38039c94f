//! Doing something with files as another user, in this thread only.
//!
//! Linux has a user id for the file system alone (`setfsuid(2)`), and keeps it, like the groups, for each thread.
//! It decides what may be opened, made and removed, and to whom new files belong.

use std::io;

use rustix::process::{Gid, Uid, getegid, geteuid, getgroups};

/// The user as whom it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsUser {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// Does `work` with the file system rights of that user. Only root can.
///
/// # Errors
/// When this process may not do that; then nothing has been done.
pub fn as_user<T>(user: &FsUser, work: impl FnOnce() -> T) -> io::Result<T> {
    let before = Before {
        user: FsUser {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            groups: getgroups()?.into_iter().map(Gid::as_raw).collect(),
        },
    };
    become_user(user)?;
    let result = work();
    drop(before);
    Ok(result)
}

/// Gives the rights back, also when something in between fails or panics.
struct Before {
    user: FsUser,
}

impl Drop for Before {
    fn drop(&mut self) {
        // If that fails the thread is left with fewer rights, never with more.
        let _ = become_user(&self.user);
    }
}

fn become_user(user: &FsUser) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    rustix::thread::set_thread_groups(&groups)?;
    set(libc::SYS_setfsgid, gid.as_raw())?;
    set(libc::SYS_setfsuid, uid.as_raw())
}

/// These calls tell nothing but the id of before: asking once more, with one that cannot be, tells what holds now.
fn set(call: libc::c_long, id: u32) -> io::Result<()> {
    // SAFETY: plain numbers; the call changes an attribute of this thread.
    let now = unsafe {
        libc::syscall(call, id);
        libc::syscall(call, u32::MAX)
    };
    if now == libc::c_long::from(id) {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EPERM))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn files_are_made_and_refused_as_by_that_user() {
        if !geteuid().is_root() {
            println!("skipped: only root can do this");
            return;
        }
        let user = FsUser {
            uid: 54_321,
            gid: 54_322,
            groups: vec![54_323],
        };
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let closed = folder.path().join("closed");
        let (made, refused) = as_user(&user, || {
            let made = UnixListener::bind(open.join("socket"));
            (made, fs::write(&closed, ""))
        })
        .unwrap();
        made.unwrap();
        let socket = open.join("socket").metadata().unwrap();
        assert_eq!((socket.uid(), socket.gid()), (54_321, 54_322));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        fs::write(&closed, "").unwrap();
        assert_eq!(closed.metadata().unwrap().uid(), 0);
        assert!(!getgroups().unwrap().contains(&Gid::from_raw(54_323)));
    }
}
