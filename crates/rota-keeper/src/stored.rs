//! Sockets that the manager of the service has kept while there was no keeper: systemd's file descriptor store.
//!
//! A socket lies there under the name `rota-<number>`; the number is that of its file, which it keeps whoever has it.
//! So one that comes back is known by its name alone, and a name that is another's is seen.

use std::os::fd::{OwnedFd, RawFd};

use rota_sys::fds::claim_inherited;
use rota_sys::net::number;

/// What the keys of their entries begin with.
pub const STORED_KEY: &str = "stored/";
/// What their names begin with.
const PREFIX: &str = "rota-";
/// The first number under which descriptors are handed over (`SD_LISTEN_FDS_START`).
const FIRST: RawFd = 3;
/// More than systemd stores for anybody.
const MOST: usize = 16_384;

/// A descriptor that has come back.
#[derive(Debug)]
pub struct Stored {
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
}

/// The name under which a socket lies with the manager.
pub(crate) fn name(number: u64) -> String {
    format!("{PREFIX}{number}")
}

impl Stored {
    /// The socket's number, if it is the one that its name says.
    pub(crate) fn number(&self) -> Option<u64> {
        let said = self.name.strip_prefix(PREFIX)?.parse().ok()?;
        number(&self.fd).filter(|number| *number == said)
    }
}

/// Takes what a keeper before has left with the manager (`LISTEN_FDS`). Descriptors with other names are somebody else's,
/// and stay as they are. To be called after everything else that this process was started with has been claimed.
#[must_use]
pub fn handed_back() -> Vec<Stored> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let ours = ours(
        std::process::id(),
        &variable("LISTEN_PID"),
        &variable("LISTEN_FDS"),
        &variable("LISTEN_FDNAMES"),
    );
    let claim = |(number, name)| Some((claim_inherited(number).ok()?, name));
    let claimed = ours.into_iter().filter_map(claim);
    claimed.map(|(fd, name)| Stored { name, fd }).collect()
}

/// The numbers and names of ours. What makes no sense is none.
fn ours(own: u32, pid: &str, count: &str, names: &str) -> Vec<(RawFd, String)> {
    let count = count.parse::<usize>().unwrap_or(0).min(MOST);
    if pid.parse() != Ok(own) || names.is_empty() {
        return Vec::new();
    }
    let named = (FIRST..).zip(names.split(':').take(count));
    named
        .filter(|(_, name)| name.starts_with(PREFIX))
        .map(|(number, name)| (number, name.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn only_what_has_our_names_is_ours() {
        let all = ours(7, "7", "4", "web.socket:rota-12:stored:rota-x");
        assert_eq!(all, [(4, "rota-12".to_owned()), (6, "rota-x".to_owned())]);
        assert_eq!(
            ours(7, "7", "1", "rota-1:rota-2").len(),
            1,
            "as many as said"
        );
        assert_eq!(ours(7, "7", "9", "rota-1").len(), 1, "as many as named");
        for (pid, count, names) in [
            ("8", "1", "rota-1"),
            ("", "1", "rota-1"),
            ("-7", "1", "rota-1"),
            ("7", "", "rota-1"),
            ("7", "-1", "rota-1"),
            ("7", "99999999999999999999999", "rota-1"),
            ("7", "0", "rota-1"),
            ("7", "1", ""),
            ("7", "1", ":rota-1"),
        ] {
            assert!(
                ours(7, pid, count, names).is_empty(),
                "{pid} {count} {names}"
            );
        }
        let most = vec!["rota-1"; 2 * MOST].join(":");
        assert_eq!(ours(7, "7", "1000000", &most).len(), MOST);
    }

    #[test]
    fn a_name_that_is_anothers_is_seen() {
        let stored = |name: &str| Stored {
            name: name.to_owned(),
            fd: TcpListener::bind("127.0.0.1:0").unwrap().into(),
        };
        let mut one = stored("");
        let number = number(&one.fd).unwrap();
        one.name = name(number);
        assert_eq!(one.number(), Some(number));
        one.name = name(number + 1);
        assert_eq!(one.number(), None);
        for name in [
            "rota-",
            "rota-x",
            "rota--1",
            "rota-99999999999999999999999",
            "x",
        ] {
            assert_eq!(stored(name).number(), None, "{name}");
        }
    }
}
