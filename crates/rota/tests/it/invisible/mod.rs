//! The agent is invisible: an app finds the same world with and without it, ends in the same way, and starts the same
//! children. And what it does when rota is gone.

mod ends;
mod orphans;
mod portrait;
