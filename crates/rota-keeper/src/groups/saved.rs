//! What the next image of the keeper has to know of groups.

use minicbor::{Decode, Encode};

/// Where groups are made, and what was done for it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct SavedGroups {
    /// The base and the keeper's group in it, if there is one.
    #[n(0)]
    pub base: Option<String>,
    #[n(1)]
    pub top: Option<String>,
    /// The controllers that groups have, and those that the base was made to pass on.
    #[n(2)]
    pub usable: Vec<String>,
    #[n(3)]
    pub switched: Vec<String>,
    /// The group of rota's own processes.
    #[n(4)]
    pub daemon: Option<String>,
    /// What is lacking, and what to do about it.
    #[n(5)]
    pub why: Option<String>,
    #[n(6)]
    pub hint: Option<String>,
}
