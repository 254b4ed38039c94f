//! `daemon.log`, where the daemon's own words go, kept small.
//!
//! The keeper holds it open as well and knows nothing of this, so it is not renamed: what is in it is copied away, and
//! the file emptied. Both append.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rota_config::{RotateSpec, Size};

use super::aside;
use super::route::Target;
use super::tend::Tender;

/// How large it may grow.
const SIZE: u64 = 10 * 1024 * 1024;
/// How many old ones are kept.
const KEEP: u32 = 3;
/// How often it is looked at.
const OFTEN: Duration = Duration::from_secs(10);

/// The log of the daemon itself.
pub(super) struct OwnLog {
    path: PathBuf,
    size: u64,
    looked: Option<Instant>,
}

impl OwnLog {
    /// The file of that name, if it is where our standard error goes.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            size: SIZE,
            looked: None,
        }
    }

    /// Something is going to be written to it.
    pub fn before(&mut self, tender: &Tender) {
        let now = Instant::now();
        if self.looked.is_some_and(|looked| now < looked + OFTEN) {
            return;
        }
        self.looked = Some(now);
        // Not our file, or no room for a second one: it grows.
        let _ = self.rotate(tender);
    }

    fn rotate(&self, tender: &Tender) -> io::Result<()> {
        let ours = rustix::fs::fstat(io::stderr())?;
        let mut file = open(&self.path)?;
        let meta = file.metadata()?;
        if (meta.dev(), meta.ino()) != (ours.st_dev, ours.st_ino) || meta.len() < self.size {
            return Ok(());
        }
        copy_away(&self.path, &mut file)?;
        let rotate = RotateSpec {
            size: Some(Size::from_bytes(self.size)),
            keep: KEEP,
            ..RotateSpec::default()
        };
        tender.tend(Target {
            path: self.path.as_path().into(),
            rotate: rotate.into(),
        });
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let careful = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(i32::try_from(careful.bits()).unwrap_or(0))
        .open(path)
}

/// Copies all that is there, and empties the file in that moment.
fn copy_away(path: &Path, file: &mut File) -> io::Result<()> {
    let stamp = aside::stamp(aside::millis(std::time::SystemTime::now()));
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{stamp}"));
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&name)?;
    // `copy` ends when nothing is left to read.
    let copied = io::copy(file, &mut copy).and_then(|_| file.set_len(0));
    if copied.is_err() {
        let _ = fs::remove_file(&name);
    }
    copied
}
