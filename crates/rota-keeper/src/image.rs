//! Going on as another image of this process: what is left to it, and the `exec`.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use rota_sys::fds::{close_on_exec, keep_on_exec};
use rota_sys::{exec, memfd};
use rustix::fs::{Mode, OFlags, open};

use crate::keeper::Keeper;
use crate::log;
use crate::options::{FAILED_FLAG, KEEPER_VERB, PREVIOUS_FLAG, RESUME_FLAG, Resume};
use crate::upgrade::Switch;

impl Keeper {
    /// Goes on as another program; returns if that fails.
    pub(crate) fn change_program(&mut self, switch: Switch) {
        match switch {
            Switch::To(program) => {
                self.upgrade.note = Some(self.note(&program));
                let error = self.exec(&program, None);
                let why = format!("cannot become {}: {error}", program.display());
                self.upgrade_failed(program, why);
            }
            Switch::Back(previous, why) => {
                log(format_args!("the upgrade has failed: {why}"));
                let path = path_of(&previous);
                let error = self.exec(&path, Some(&why));
                log(format_args!(
                    "cannot go back to the program of before: {error}"
                ));
            }
        }
    }

    fn exec(&self, program: &Path, failed: Option<&str>) -> io::Error {
        let mut kept = Kept::default();
        match self.prepare_exec(&mut kept, failed) {
            Ok(args) => exec::replace(program, &args),
            Err(error) => error,
        }
    }

    /// Saves the state, and makes everything that it names outlive the `exec`.
    fn prepare_exec<'fd>(
        &'fd self,
        kept: &mut Kept<'fd>,
        failed: Option<&str>,
    ) -> io::Result<Vec<OsString>> {
        for fd in self.state_fds() {
            kept.keep(fd)?;
        }
        let state = memfd::sealed("rota-keeper", &self.state().encode())?;
        let mut args = arguments(kept.own(state)?, failed);
        if failed.is_none() {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let previous = open("/proc/self/exe", flags, Mode::empty())?;
            args.push(PREVIOUS_FLAG.into());
            args.push(kept.own(previous)?.to_string().into());
        }
        args.push("--home".into());
        args.push(self.settings.home.clone().into());
        Ok(args)
    }
}

/// Descriptors that outlive the `exec`, unless it fails.
#[derive(Default)]
struct Kept<'fd> {
    borrowed: Vec<BorrowedFd<'fd>>,
    own: Vec<OwnedFd>,
}

impl<'fd> Kept<'fd> {
    fn keep(&mut self, fd: BorrowedFd<'fd>) -> io::Result<()> {
        keep_on_exec(fd)?;
        self.borrowed.push(fd);
        Ok(())
    }

    /// Keeps one that nobody else has, and returns its number.
    fn own(&mut self, fd: OwnedFd) -> io::Result<RawFd> {
        let number = keep_on_exec(&fd)?;
        self.own.push(fd);
        Ok(number)
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        for fd in &self.borrowed {
            // It is open, so this cannot fail; and `Spawn` closes what it was not told to pass on in any case.
            let _ = close_on_exec(fd);
        }
    }
}

/// Goes back to the program of before, which has left a state that this one cannot take over. Returns only if
/// that fails.
pub(crate) fn give_back(resume: &Resume, why: &str) -> io::Error {
    let Some(previous) = &resume.previous else {
        return io::Error::other("there is none");
    };
    match keep_on_exec(&resume.state) {
        Ok(state) => exec::replace(&path_of(previous), &arguments(state, Some(why))),
        Err(error) => error,
    }
}

/// The arguments of an image that goes on with a state.
fn arguments(state: RawFd, failed: Option<&str>) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec![
        "rota".into(),
        KEEPER_VERB.into(),
        RESUME_FLAG.into(),
        state.to_string().into(),
    ];
    if let Some(why) = failed {
        args.extend([FAILED_FLAG.into(), why.replace('\0', " ").into()]);
    }
    args
}

/// Where a file that may have no name any more can be executed.
fn path_of(file: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}
