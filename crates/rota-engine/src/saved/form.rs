//! What is written and read.
//!
//! Fields that have their usual value are left out, unknown ones are ignored, and settings are
//! written once, however many slots and workers have them. A field that is added later needs a
//! default.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::backoff::Rng;
use crate::engine::Shutdown;
use crate::spec::SpecKey;
use crate::{AppId, Policy, Time};

/// An app's state, to be written.
#[derive(Debug, Serialize)]
pub struct SavedApp<'a> {
    policies: BTreeMap<SpecKey, &'a Policy>,
    app: &'a App,
}

impl<'a> SavedApp<'a> {
    pub(crate) fn new(app: &'a App) -> Self {
        let specs = app.specs().into_iter();
        Self {
            policies: specs.map(|spec| (spec.key(), &*spec.policy)).collect(),
            app,
        }
    }
}

/// An app's state that was read; [`Engine::restore`](crate::Engine::restore) checks it.
///
/// Reading it fails when something in it is not known to this version, or when the settings of a
/// generation are missing.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ReadApp")]
pub struct RestoredApp {
    pub(crate) app: App,
}

impl RestoredApp {
    /// Which app it says to be.
    #[must_use]
    pub const fn app(&self) -> AppId {
        self.app.id
    }
}

#[derive(Deserialize)]
struct ReadApp {
    policies: BTreeMap<SpecKey, Policy>,
    app: App,
}

impl TryFrom<ReadApp> for RestoredApp {
    type Error = String;

    fn try_from(read: ReadApp) -> Result<Self, String> {
        let ReadApp { policies, mut app } = read;
        let shared = |(key, policy)| (key, Arc::new(policy));
        let policies: BTreeMap<_, _> = policies.into_iter().map(shared).collect();
        for spec in app.specs_mut() {
            let policy = policies.get(&spec.key());
            let missing = || format!("the settings of generation {} are missing", spec.key());
            spec.policy = Arc::clone(policy.ok_or_else(missing)?);
        }
        Ok(Self { app })
    }
}

/// What all apps share, to be written and read: a few numbers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SavedShared {
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    pub(crate) last_worker: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) shutdown: Option<Shutdown>,
}

/// Whether a field has the value that it gets when it is left out.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Workers as a list: each has its id.
pub(crate) mod by_id {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::WorkerId;
    use crate::worker::Worker;

    pub(crate) fn serialize<S: Serializer>(
        workers: &BTreeMap<WorkerId, Worker>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(workers.values())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<WorkerId, Worker>, D::Error> {
        let mut workers = BTreeMap::new();
        for worker in Vec::<Worker>::deserialize(deserializer)? {
            let id = worker.id;
            if workers.insert(id, worker).is_some() {
                return Err(de::Error::custom(format!("worker {} is there twice", id.0)));
            }
        }
        Ok(workers)
    }
}
