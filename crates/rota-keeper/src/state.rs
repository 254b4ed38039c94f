//! The keeper's whole state, as one image of the process leaves it to the next.
//!
//! CBOR in a sealed memfd. As in the protocol, a reader skips fields that it does not know. A later version of
//! rota may add fields under the same [`FORMAT`]; it should, for then a program of either version can go on with
//! what the other has left, which is what going back needs. Descriptors are named by their numbers: they are
//! inherited. `tests/state_1.cbor` of this crate is a state that every later version must read.

use std::collections::BTreeSet;
use std::ffi::OsString;

use minicbor::{Decode, Encode};
use thiserror::Error;

use crate::groups::SavedGroups;
use crate::protocol::{self, ExitInfo, FrameError, UpgradeNote, os};

/// The version of the format.
pub(crate) const FORMAT: u32 = 1;
/// The longest state, in bytes: the store's limits, and room for the rest.
pub(crate) const STATE_MAX: usize = 256 * 1024 * 1024;

/// Everything that is not found out anew.
#[derive(Debug, PartialEq, Encode, Decode)]
pub(crate) struct State<'b> {
    #[n(0)]
    pub format: u32,
    /// The version of the program that wrote it.
    #[b(1)]
    pub version: &'b str,
    #[cbor(n(2), with = "os::one")]
    pub home: OsString,
    #[n(3)]
    pub foreground: bool,
    /// The supervisor's program and arguments.
    #[cbor(n(4), with = "os::one")]
    pub program: OsString,
    #[cbor(n(5), with = "os::list")]
    pub args: Vec<OsString>,
    /// The descriptor that is locked.
    #[n(6)]
    pub lock: i32,
    /// The soft limit of open files that children get.
    #[n(7)]
    pub nofile: Option<u64>,
    /// What the marks of children begin with.
    #[b(8)]
    pub tag: &'b str,
    #[b(9)]
    pub entries: Vec<SavedEntry<'b>>,
    #[n(10)]
    pub children: Vec<SavedChild>,
    #[n(11)]
    pub hunts: Vec<SavedHunt>,
    /// Signals that no supervisor has been told of.
    #[n(12)]
    pub unseen: Vec<i32>,
    /// How many supervisors have ended, and how the last one did.
    #[n(13)]
    pub deaths: u32,
    #[n(14)]
    pub last_exit: Option<ExitInfo>,
    #[n(15)]
    pub upgrade: Option<UpgradeNote>,
    #[n(16)]
    pub groups: Option<SavedGroups>,
}

/// An entry of the store.
#[derive(Debug, PartialEq, Encode, Decode)]
pub(crate) struct SavedEntry<'b> {
    #[b(0)]
    pub key: &'b str,
    #[cbor(b(1), with = "minicbor::bytes")]
    pub blob: &'b [u8],
    #[n(2)]
    pub fds: Vec<i32>,
    /// They lie with the manager of the service as well.
    #[n(3)]
    #[cbor(default)]
    pub shared: bool,
}

/// A child.
#[derive(Debug, PartialEq, Encode, Decode)]
pub(crate) struct SavedChild {
    #[n(0)]
    pub key: u64,
    #[n(1)]
    pub leader: u32,
    #[n(2)]
    pub leader_reaped: bool,
    /// The main process, if it is not the leader, and a descriptor for it.
    #[n(3)]
    pub main: Option<u32>,
    #[n(4)]
    pub pidfd: Option<i32>,
    #[n(5)]
    pub exit: Option<ExitInfo>,
    #[n(6)]
    pub announced: bool,
    /// The directory of its control group.
    #[n(7)]
    pub group: Option<String>,
}

/// What is left of an ended child is being looked for.
#[derive(Debug, PartialEq, Encode, Decode)]
pub(crate) struct SavedHunt {
    #[n(0)]
    pub child: u64,
    #[n(1)]
    pub families: Vec<u32>,
}

/// Why a state cannot be taken over.
#[derive(Debug, Error)]
pub(crate) enum StateError {
    #[error("it is of format {0}, this program reads {FORMAT}")]
    Format(u32),
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    #[error("it cannot be read")]
    Cbor(#[source] FrameError),
}

/// The field that all formats have.
#[derive(Decode)]
struct Head {
    #[n(0)]
    format: u32,
}

impl<'b> State<'b> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Writing to a vector does not fail.
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads a whole state and looks for contradictions in it.
    pub(crate) fn decode(bytes: &'b [u8]) -> Result<Self, StateError> {
        let head: Head = protocol::decode(bytes).map_err(StateError::Cbor)?;
        if head.format != FORMAT {
            return Err(StateError::Format(head.format));
        }
        let state: Self = protocol::decode(bytes).map_err(StateError::Cbor)?;
        state.check()?;
        Ok(state)
    }

    fn check(&self) -> Result<(), StateError> {
        let mut fds = BTreeSet::new();
        if !self.fds().all(|number| number > 2 && fds.insert(number)) {
            return Err(StateError::Damaged("a descriptor is named twice"));
        }
        let mut keys = BTreeSet::new();
        if !self.entries.iter().all(|entry| keys.insert(entry.key)) {
            return Err(StateError::Damaged("an entry is there twice"));
        }
        let mut children = BTreeSet::new();
        if !self.children.iter().all(|child| children.insert(child.key)) {
            return Err(StateError::Damaged("a child is there twice"));
        }
        Ok(())
    }

    /// The numbers of all descriptors that it names.
    fn fds(&self) -> impl Iterator<Item = i32> {
        let entries = self.entries.iter().flat_map(|entry| &entry.fds).copied();
        let children = self.children.iter().filter_map(|child| child.pidfd);
        entries.chain(children).chain([self.lock])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ExitStatus;

    const EXIT: ExitInfo = ExitInfo {
        status: ExitStatus::Code(3),
        max_rss_kib: 1,
        user_us: 2,
        system_us: 3,
        group: None,
    };

    fn sample() -> State<'static> {
        State {
            format: FORMAT,
            version: "0.1.0",
            home: "/home/x/.rota".into(),
            foreground: true,
            program: "/proc/self/exe".into(),
            args: vec!["__supervisor".into(), "--home".into()],
            lock: 4,
            nofile: Some(1024),
            tag: "0123456789abcdef",
            entries: vec![
                SavedEntry {
                    key: "api",
                    blob: &[],
                    fds: vec![3],
                    shared: false,
                },
                SavedEntry {
                    key: "worker/1",
                    blob: &[1, 2, 255],
                    fds: vec![7, 8, 9],
                    shared: false,
                },
            ],
            children: vec![
                SavedChild {
                    key: 1,
                    leader: 100,
                    leader_reaped: true,
                    main: Some(101),
                    pidfd: Some(10),
                    exit: None,
                    announced: false,
                    group: None,
                },
                SavedChild {
                    key: 2,
                    leader: 200,
                    leader_reaped: true,
                    main: None,
                    pidfd: None,
                    exit: Some(EXIT),
                    announced: true,
                    group: None,
                },
            ],
            hunts: vec![SavedHunt {
                child: 2,
                families: vec![200, 201],
            }],
            unseen: vec![15],
            deaths: 2,
            last_exit: Some(EXIT),
            upgrade: Some(UpgradeNote {
                from: "0.1.0".to_owned(),
                to: Some("0.2.0".to_owned()),
                program: "/usr/bin/rota".into(),
                failed: Some("it did not come up".to_owned()),
            }),
            groups: None,
        }
    }

    #[test]
    fn there_and_back_and_cut_short() {
        let bytes = sample().encode();
        assert_eq!(State::decode(&bytes).unwrap(), sample());
        for length in 0..bytes.len() {
            assert!(State::decode(&bytes[..length]).is_err(), "cut to {length}");
        }
    }

    /// `ROTA_WRITE_STATE=1` writes the file anew: for a new format, beside this one.
    #[test]
    fn what_the_first_version_left_is_read() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/state_1.cbor");
        if std::env::var_os("ROTA_WRITE_STATE").is_some() {
            std::fs::write(path, sample().encode()).unwrap();
        }
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(State::decode(&bytes).unwrap(), sample());
    }

    #[test]
    fn damage_is_an_error() {
        let twice = |change: fn(&mut State<'static>)| {
            let mut state = sample();
            change(&mut state);
            let bytes = state.encode();
            assert!(matches!(State::decode(&bytes), Err(StateError::Damaged(_))));
        };
        twice(|state| state.lock = 9);
        twice(|state| state.children[0].pidfd = Some(3));
        twice(|state| state.entries[0].fds = vec![1]);
        twice(|state| state.entries[0].key = "worker/1");
        twice(|state| state.children[0].key = 2);
        let later = State {
            format: 2,
            ..sample()
        };
        assert!(matches!(
            State::decode(&later.encode()),
            Err(StateError::Format(2))
        ));
        let mut random = fastrand::Rng::with_seed(0x0073_7461_7465);
        let bytes = sample().encode();
        for _ in 0..20_000 {
            let mut bytes = bytes.clone();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            let _ = State::decode(&bytes);
            let noise: Vec<u8> = (0..random.usize(..80)).map(|_| random.u8(..)).collect();
            let _ = State::decode(&noise);
        }
    }
}
