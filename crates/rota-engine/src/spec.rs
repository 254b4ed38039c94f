//! A generation with its settings, as apps, slots and workers carry it about.

use std::sync::Arc;

use crate::{Generation, Policy};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    pub(crate) generation: Generation,
    pub(crate) policy: Arc<Policy>,
}

impl Spec {
    pub(crate) fn new(policy: Policy, generation: Generation) -> Self {
        Self {
            generation,
            policy: Arc::new(policy),
        }
    }
}
