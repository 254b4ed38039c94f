//! Node.js' cluster protocol as a primary speaks it: channel codec, messages and primary state, without IO.

mod balance;

pub use balance::{Balance, ParseBalanceError};
