//! What of a specification the keeper is told about the process itself.

use rota_keeper::protocol::{Attributes, Identity, Rlimit, SpawnSpec};
use rota_sys::spawn::rlimit_number;

use crate::apps::Prepared;

/// The version of the keeper's protocol from which on it knows [`Attributes`].
const KNOWN_SINCE: u32 = 3;

/// Who a process is, and what it may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessAttributes {
    umask: Option<u32>,
    nice: Option<i32>,
    attributes: Option<Box<Attributes>>,
}

impl ProcessAttributes {
    /// Those of the app's workers.
    pub(crate) fn of(prepared: &Prepared) -> Self {
        let spec = &prepared.spec.process;
        let rlimits = spec.rlimits.iter().filter_map(|(name, limit)| {
            Some(Rlimit {
                resource: rlimit_number(name.as_str())?,
                soft: limit.soft,
                hard: limit.hard,
            })
        });
        let person = prepared.person.as_ref();
        let attributes = Attributes {
            identity: person.map(|person| Identity {
                uid: person.uid,
                gid: person.gid,
                groups: person.groups.clone(),
            }),
            rlimits: rlimits.collect(),
            oom_score_adj: spec.oom_score_adj,
            no_new_privs: spec.bars_privileges(),
        };
        Self {
            umask: spec.umask.map(rota_config::Umask::bits),
            nice: spec.nice,
            attributes: (attributes != Attributes::default()).then(|| Box::new(attributes)),
        }
    }

    /// Whether a keeper of this protocol would do as it is told. An older one would run the process as root.
    pub(crate) fn is_known_to(&self, protocol: u32) -> bool {
        self.attributes.is_none() || protocol >= KNOWN_SINCE
    }

    /// Puts them into an order.
    pub(crate) fn put_into(self, spec: &mut SpawnSpec) {
        spec.umask = self.umask;
        spec.nice = self.nice;
        spec.attributes = self.attributes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_keeper_is_not_trusted_with_a_user() {
        let plain = ProcessAttributes {
            nice: Some(3),
            ..ProcessAttributes::default()
        };
        assert!(plain.is_known_to(1));
        let named = ProcessAttributes {
            attributes: Some(Box::default()),
            ..ProcessAttributes::default()
        };
        assert!(!named.is_known_to(2) && named.is_known_to(3));
    }

    #[test]
    fn every_limit_has_a_number() {
        for name in rota_config::RlimitName::ALL {
            assert!(rlimit_number(name.as_str()).is_some(), "{name}");
        }
    }
}
