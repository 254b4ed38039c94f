//! The sockets of `--listen` that an app has, by their addresses.
//!
//! Generations of one app may listen at different addresses. What several of them name is one socket, which is open from the
//! first of them to the last, with the connections that wait there.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rota_config::{AppSpec, ListenAddr, ListenTarget};
use serde::{Deserialize, Serialize};

/// The first number of inherited sockets, systemd's `SD_LISTEN_FDS_START`.
const LISTEN_FDS_START: i32 = 3;

/// A socket of an app.
#[derive(Debug, Clone)]
pub struct OwnSocket {
    /// Its number in the app: never given to another one.
    pub number: i32,
    /// Where it was opened; a path is absolute.
    pub target: ListenTarget,
    /// The socket.
    pub fd: Rc<OwnedFd>,
}

/// All of an app's.
#[derive(Debug)]
pub struct OwnSockets {
    /// In the order of their numbers.
    all: Vec<OwnSocket>,
    next: i32,
}

/// What is saved of them beside the descriptors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SavedSockets {
    /// In the order of the descriptors.
    all: Vec<SavedSocket>,
    next: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SavedSocket {
    number: i32,
    at: ListenAddr,
}

impl Default for OwnSockets {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            next: LISTEN_FDS_START,
        }
    }
}

impl OwnSockets {
    /// Adds one, opened at that address.
    pub fn add(&mut self, target: ListenTarget, fd: OwnedFd) -> OwnSocket {
        let socket = OwnSocket {
            number: self.next,
            target,
            fd: Rc::new(fd),
        };
        self.next = self.next.saturating_add(1);
        self.all.push(socket.clone());
        socket
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &OwnSocket> {
        self.all.iter()
    }

    /// Those of a specification, in its order; `None` for what is not open. Several at port 0 are several sockets.
    pub fn of(&self, spec: &AppSpec) -> Vec<Option<&OwnSocket>> {
        let mut taken: Vec<i32> = Vec::new();
        let find = |address: &ListenAddr| {
            let target = whole(&address.target, spec);
            let mut free = self.all.iter().filter(|one| !taken.contains(&one.number));
            let found = free.find(|one| one.target == target);
            taken.extend(found.map(|one| one.number));
            found
        };
        spec.listen.iter().map(find).collect()
    }

    /// The numbers of those of a specification, in its order.
    pub fn numbers(&self, spec: &AppSpec) -> Vec<i32> {
        let sockets = self.of(spec).into_iter().flatten();
        sockets.map(|socket| socket.number).collect()
    }

    /// The addresses of a specification at which nothing is open yet.
    pub fn missing(&self, spec: &AppSpec) -> Vec<ListenAddr> {
        let sockets = spec.listen.iter().zip(self.of(spec));
        let missing = sockets.filter(|(_, socket)| socket.is_none());
        missing.map(|(address, _)| address.clone()).collect()
    }

    /// Takes out what none of these specifications names.
    pub fn take_unneeded<'a>(
        &mut self,
        specs: impl Iterator<Item = &'a AppSpec>,
    ) -> Vec<OwnSocket> {
        let needed: Vec<i32> = specs.flat_map(|spec| self.numbers(spec)).collect();
        let unneeded = |one: &mut OwnSocket| !needed.contains(&one.number);
        self.all.extract_if(.., unneeded).collect()
    }

    /// What is saved of them, and copies of the descriptors. Without a copy (no descriptors left) the next supervisor opens
    /// them anew.
    pub fn save(&self) -> (SavedSockets, Vec<OwnedFd>) {
        let copies = self.all.iter().map(|one| one.fd.try_clone().ok());
        let copies: Option<Vec<OwnedFd>> = copies.collect();
        let saved = |one: &OwnSocket| SavedSocket {
            number: one.number,
            at: ListenAddr {
                name: None,
                target: one.target.clone(),
            },
        };
        let all = match copies {
            Some(_) => self.all.iter().map(saved).collect(),
            None => Vec::new(),
        };
        let next = self.next;
        (SavedSockets { all, next }, copies.unwrap_or_default())
    }
}

impl SavedSockets {
    /// Of an older rota, which had the sockets of one specification in its order.
    pub fn of_older(spec: &AppSpec) -> Self {
        let addresses = (LISTEN_FDS_START..).zip(&spec.listen);
        let saved = addresses.map(|(number, address)| SavedSocket {
            number,
            at: ListenAddr {
                name: None,
                target: whole(&address.target, spec),
            },
        });
        Self {
            all: saved.collect(),
            next: 0,
        }
    }

    /// The sockets, with their descriptors.
    pub fn restore(self, fds: Vec<OwnedFd>) -> OwnSockets {
        let next = self.all.iter().map(|one| one.number.saturating_add(1));
        let next = next.max().unwrap_or(0).max(self.next);
        let own = |(saved, fd): (SavedSocket, OwnedFd)| OwnSocket {
            number: saved.number,
            target: saved.at.target,
            fd: Rc::new(fd),
        };
        OwnSockets {
            all: self.all.into_iter().zip(fds).map(own).collect(),
            next: next.max(LISTEN_FDS_START),
        }
    }
}

/// The same address whatever the working directory.
pub(super) fn whole(target: &ListenTarget, spec: &AppSpec) -> ListenTarget {
    match target {
        ListenTarget::Unix(path) => ListenTarget::Unix(spec.cwd.join(path).components().collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn spec(listen: &[&str]) -> AppSpec {
        let name = rota_config::AppName::new("a").unwrap();
        let mut spec = AppSpec::new(name, "a.js", "/srv");
        spec.listen = listen.iter().map(|text| text.parse().unwrap()).collect();
        spec
    }

    fn nothing() -> OwnedFd {
        File::open("/dev/null").unwrap().into()
    }

    fn open(sockets: &mut OwnSockets, spec: &AppSpec) {
        for address in sockets.missing(spec) {
            sockets.add(whole(&address.target, spec), nothing());
        }
    }

    #[test]
    fn what_generations_share_is_one_socket() {
        let old = spec(&["web=8080", "unix:a.sock", "0"]);
        let new = spec(&["/srv/a.sock", "9090", "0", "0", "8080"]);
        let mut sockets = OwnSockets::default();
        open(&mut sockets, &old);
        assert_eq!(sockets.numbers(&old), [3, 4, 5]);
        let missing: Vec<String> = sockets
            .missing(&new)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(missing, ["9090", "0"]);
        open(&mut sockets, &new);
        assert_eq!(sockets.numbers(&new), [4, 6, 5, 7, 3]);
        assert_eq!(sockets.numbers(&old), [3, 4, 5]);
        assert!(sockets.take_unneeded([&old, &new].into_iter()).is_empty());
        let less = spec(&["9090"]);
        let gone = sockets.take_unneeded([&less].into_iter());
        assert_eq!(
            gone.iter().map(|one| one.number).collect::<Vec<_>>(),
            [3, 4, 5, 7]
        );
        assert_eq!(sockets.numbers(&less), [6]);
        // Not even after the supervisor's death is a number given again.
        let (saved, fds) = sockets.save();
        let saved = serde_json::to_string(&saved).unwrap();
        let saved: SavedSockets = serde_json::from_str(&saved).unwrap();
        let mut sockets = saved.restore(fds);
        open(&mut sockets, &old);
        assert_eq!(sockets.numbers(&less), [6]);
        assert_eq!(sockets.numbers(&old), [8, 9, 10]);
    }

    #[test]
    fn what_an_older_rota_has_left_is_in_the_order_of_the_addresses() {
        let spec = spec(&["8080", "unix:a.sock"]);
        let sockets = SavedSockets::of_older(&spec).restore(vec![nothing(), nothing()]);
        assert_eq!(sockets.numbers(&spec), [3, 4]);
        let lost = SavedSockets::of_older(&spec).restore(Vec::new());
        assert_eq!(lost.missing(&spec).len(), 2);
    }
}
