//! What `/proc` says about processes.
//!
//! A process may vanish between any two reads: `NotFound`, or `ESRCH` in the middle of one.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

/// Some fields of `/proc/<pid>/stat` (see proc_pid_stat(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The state: `R`, `S`, `D`, `T` (stopped), `t` (traced), `Z`, `X` and others.
    pub state: char,
    /// The parent's process id.
    pub parent: u32,
    /// The process group.
    pub group: u32,
    /// The session.
    pub session: u32,
    /// Processor time in user mode.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
    /// Threads.
    pub threads: u32,
    /// When it started, in clock ticks since the machine did: with the pid, the identity of a process.
    pub start_ticks: u64,
    /// Resident memory, in bytes.
    pub resident: u64,
}

/// Environment and command lines are read up to this size.
const READ_MAX: u64 = 4 * 1024 * 1024;

fn invalid() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "/proc holds something unexpected",
    )
}

fn path(process: u32, file: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{process}/{file}"))
}

/// Reads the status line of a process.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn stat(process: u32) -> io::Result<Stat> {
    parse_stat(&fs::read(path(process, "stat"))?).ok_or_else(invalid)
}

/// The program's name is in parentheses and may hold anything, parentheses too: fields count from the last `)`.
pub(crate) fn parse_stat(line: &[u8]) -> Option<Stat> {
    let end = line.iter().rposition(|byte| *byte == b')')?;
    let fields: Vec<&str> = std::str::from_utf8(line.get(end + 1..)?)
        .ok()?
        .split_ascii_whitespace()
        .collect();
    // proc_pid_stat(5) counts from 1, and the state is its field 3.
    let field = |number: usize| fields.get(number - 3).copied();
    let ticks = |number| Some(duration_of_ticks(field(number)?.parse().ok()?));
    Some(Stat {
        state: field(3)?.chars().next()?,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().unwrap_or(0),
        session: field(6)?.parse().unwrap_or(0),
        user: ticks(14)?,
        system: ticks(15)?,
        threads: field(20)?.parse().ok()?,
        start_ticks: field(22)?.parse().ok()?,
        resident: field(24)?
            .parse::<u64>()
            .ok()?
            .saturating_mul(rustix::param::page_size() as u64),
    })
}

fn duration_of_ticks(ticks: u64) -> Duration {
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_nanos(ticks.saturating_mul(1_000_000_000 / per_second))
}

/// The children of a process.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn children(process: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(path(process, "task"))? {
        match fs::read_to_string(thread?.path().join("children")) {
            Ok(list) => children.extend(
                list.split_ascii_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            ),
            // A kernel without CONFIG_PROC_CHILDREN, or the thread has just ended: its children are another's now.
            Err(_) => return children_by_scan(process),
        }
    }
    Ok(children)
}

fn children_by_scan(parent: u32) -> io::Result<Vec<u32>> {
    let pids = processes()?.into_iter();
    Ok(pids
        .filter(|pid| stat(*pid).is_ok_and(|stat| stat.parent == parent))
        .collect())
}

/// The value of a variable in the environment that a process was started with. Empty for a zombie.
///
/// # Errors
/// `PermissionDenied` for a process of somebody else, `NotFound` when there is none.
pub fn environ_value(process: u32, name: &str) -> io::Result<Option<Vec<u8>>> {
    let all = read_bounded(path(process, "environ"))?;
    Ok(all.split(|byte| *byte == 0).find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(value.to_vec())
    }))
}

/// The command line of a process. Empty for a zombie.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn cmdline(process: u32) -> io::Result<Vec<Vec<u8>>> {
    let mut all = read_bounded(path(process, "cmdline"))?;
    if all.last() == Some(&0) {
        all.pop();
    }
    if all.is_empty() {
        return Ok(Vec::new());
    }
    Ok(all.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect())
}

/// How many files a process has open.
///
/// # Errors
/// `PermissionDenied` for a process of somebody else, `NotFound` when there is none.
pub fn fd_count(process: u32) -> io::Result<usize> {
    let folder = path(process, "fd");
    // Linux 6.2 and later say the number as the folder's size: no need to list thousands.
    match usize::try_from(fs::metadata(&folder)?.len()) {
        Ok(count) if count > 0 => Ok(count),
        _ => Ok(fs::read_dir(folder)?.count()),
    }
}

/// The kernel's numbers of the sockets that a process has open.
///
/// # Errors
/// `PermissionDenied` for a process of somebody else, `NotFound` when there is none.
pub fn sockets(process: u32) -> io::Result<Vec<u32>> {
    let all = socket_descriptors(process)?;
    Ok(all.into_iter().map(|(_, number)| number).collect())
}

/// The sockets that a process has open: its descriptors and the kernel's numbers.
///
/// # Errors
/// `PermissionDenied` for a process of somebody else, `NotFound` when there is none.
pub fn socket_descriptors(process: u32) -> io::Result<Vec<(i32, u32)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path(process, "fd"))? {
        let entry = entry?;
        // It may have been closed since the folder was read.
        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        let name = target.to_str();
        let name = name.and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']'));
        let descriptor = entry.file_name();
        let descriptor = descriptor.to_str().and_then(|text| text.parse().ok());
        let number = name.and_then(|name| name.parse().ok());
        found.extend(descriptor.zip(number));
    }
    Ok(found)
}

/// Every process that there is.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn processes() -> io::Result<Vec<u32>> {
    let all = fs::read_dir("/proc")?;
    Ok(all
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .collect())
}

/// The user that a process runs as (its effective one; root, if nobody but root may look into it).
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn user(process: u32) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata(format!("/proc/{process}"))?.uid())
}

/// What tells this run of the machine from all others.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn boot_id() -> io::Result<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(text.trim_end().to_owned())
}

/// How many files a process may have open (its soft limit); `None` without a limit.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn fd_limit(process: u32) -> io::Result<Option<u64>> {
    let text = read_bounded(path(process, "limits"))?;
    parse_fd_limit(&text).ok_or_else(invalid)
}

pub(crate) fn parse_fd_limit(text: &[u8]) -> Option<Option<u64>> {
    let text = std::str::from_utf8(text).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_ascii_whitespace().next()? {
        "unlimited" => Some(None),
        soft => Some(Some(soft.parse().ok()?)),
    }
}

fn read_bounded(path: PathBuf) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(READ_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_name_with_parentheses_and_spaces() {
        let line =
            b"42 (a) S 9) b) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 11 0 777 1000 25 rest";
        let stat = parse_stat(line).unwrap();
        assert_eq!(
            (stat.state, stat.parent, stat.group, stat.session),
            ('S', 7, 42, 42)
        );
        assert_eq!((stat.threads, stat.start_ticks), (11, 777));
        assert_eq!(stat.resident, 25 * rustix::param::page_size() as u64);
        assert!(stat.user > stat.system);
        assert_eq!(parse_stat(b"42 (short) S 1"), None);
        assert_eq!(parse_stat(b"no name"), None);
    }

    #[test]
    fn the_soft_limit_of_open_files() {
        let text = b"Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files     \n";
        assert_eq!(parse_fd_limit(text), Some(Some(1024)));
        assert_eq!(
            parse_fd_limit(b"Max open files  unlimited  unlimited  files\n"),
            Some(None)
        );
        assert_eq!(parse_fd_limit(b"Max processes 1 2\n"), None);
        assert!(fd_limit(std::process::id()).unwrap() > Some(2));
    }

    #[test]
    fn sockets_are_told_from_files() {
        use std::os::unix::fs::MetadataExt as _;
        let me = std::process::id();
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let number = |fd: std::os::fd::OwnedFd| File::from(fd).metadata().unwrap().ino();
        let number = number(socket.try_clone().unwrap().into());
        let found = sockets(me).unwrap();
        assert!(found.iter().any(|n| u64::from(*n) == number), "{found:?}");
        assert!(
            !found
                .iter()
                .any(|n| u64::from(*n) == file.metadata().unwrap().ino())
        );
    }

    #[test]
    fn a_child_is_seen() {
        let mut child = Command::new("cat")
            .env("ROTA_TEST_TAG", "x=1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let me = std::process::id();
        assert!(children(me).unwrap().contains(&child.id()));
        assert!(children_by_scan(me).unwrap().contains(&child.id()));
        assert_eq!(stat(child.id()).unwrap().parent, me);
        assert_eq!(
            environ_value(child.id(), "ROTA_TEST_TAG").unwrap().unwrap(),
            b"x=1"
        );
        assert_eq!(environ_value(child.id(), "ROTA_TEST").unwrap(), None);
        assert_eq!(cmdline(child.id()).unwrap(), [b"cat".to_vec()]);
        assert!(fd_count(child.id()).unwrap() >= 3);
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(
            stat(child.id()).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
