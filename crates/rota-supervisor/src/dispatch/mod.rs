//! The dispatcher: a thread of its own that plays Node's cluster primary for every app.
//!
//! It owns our ends of the workers' channels and every listening socket, accepts connections only
//! while a worker has room, and hands them over. The rules are [`rota_node::Primary`]'s, which does
//! no IO; here are the system calls. Commands go in through [`Dispatcher::send`], events come back
//! through the function given to [`Dispatcher::start`], on the dispatcher's thread.
//!
//! The thread may die with its process at any moment. Sockets, and who uses them, are left with a [`Keep`]
//! before anybody can rely on them; the next dispatcher goes on from there. Connections that are with workers
//! stay with them; those that nobody has taken yet are lost.

mod accept;
mod bind;
mod channel;
mod drain;
mod examine;
mod found;
mod handle;
mod io;
mod keep;
mod limits;
mod live;
mod orders;
mod read;
mod recovered;
mod restore;
mod shell;
mod sockets;
mod token;
mod types;

pub use handle::Dispatcher;
pub use keep::Keep;
#[cfg(fuzzing)]
pub use keep::written_again;
pub use restore::{Adopted, Restored, RestoredFacts, RestoredWorker};
pub use rota_node::Balance;
pub use types::{
    AppStats, ChannelKind, DispatchCommand, DispatchEvent, ListenerStats, Lost, Stats, WorkerStats,
};

#[cfg(test)]
mod tests;
