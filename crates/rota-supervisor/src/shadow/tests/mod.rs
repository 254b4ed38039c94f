//! The ledger at every instant, and the line with whatever may come through it.

pub(super) mod random;

mod ledger;
mod rescue;
