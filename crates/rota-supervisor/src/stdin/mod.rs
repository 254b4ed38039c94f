//! Standard input of workers: pipes that are written into on request.
//!
//! The worker has the reading end. The writing end is here, and with the keeper as a part of the worker's entry, so
//! that the input does not end when a supervisor does.

mod input;
mod send;

pub(crate) use input::Input;
