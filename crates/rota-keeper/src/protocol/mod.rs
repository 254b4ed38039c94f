//! The protocol between the keeper and its supervisor.
//!
//! # Transport
//!
//! A `SOCK_SEQPACKET` pair; the supervisor finds its end as descriptor 3. One packet is one message.
//! Descriptors travel as `SCM_RIGHTS` on the packet that names them, at most [`MAX_FDS`] of them.
//!
//! ```text
//! packet     = kind:u8 body
//! kind 0 2 4 : body is the message in CBOR, at most 64 KiB
//! kind 1 3 5 : body is length:u32le; the message is the content of a sealed memfd, which is the *last*
//!              descriptor of the packet (it is not one of the message's own); at most 16 MiB
//! kind 0 1   : a single message (the keeper sends no others)
//! kind 2 3   : a request to be held, kind 4 5: the last one of a transaction; see below
//! ```
//!
//! Other kinds, an empty packet, a packet without the descriptor that it announces and bytes after the
//! message are errors of that packet only. The stream of packets stays in step whatever one of them holds.
//!
//! # Messages
//!
//! CBOR, every enum and struct index-keyed: a receiver skips fields that it does not know and takes a
//! missing optional one as absent, so both sides may be of different versions. A message of an unknown kind
//! is answered with [`FromKeeper::Refused`] by the keeper and skipped by the supervisor.
//!
//! # Conversation
//!
//! ```text
//! keeper                                   supervisor
//!   Hello ─────────────────────────────►   (a new process, first or after a crash)
//!   Entry × n, Child × n, Restored ────►   what there is, which may be nothing
//!                                   ◄────  Spawn, Signal, Put, PutBlob, Drop, Share, MainPid, Forget, Up, Upgrade
//!   Spawned | SpawnFailed ─────────────►   exactly one for each Spawn, in order
//!   Exited ────────────────────────────►   once, and as Child again to the next supervisor until Forget
//!   Signal, SignalFailed, Refused, UpgradeFailed ─►
//!   Ping ──────────────────────────────►   now and then
//!                                   ◄────  Alive
//!                                   ◄────  Exit, then the supervisor exits
//! ```
//!
//! Requests are carried out in the order of arrival. Success of Signal, Put, PutBlob, Drop, Share, MainPid,
//! Forget and Up is silent. Everything sent before the supervisor dies is carried out before the next one starts.
//!
//! # Transactions
//!
//! A request sent as [`Mode::Held`] waits in the keeper, with its descriptors, for one that is sent as
//! [`Mode::Last`]; then all of them are carried out in the order in which they were sent, and nothing else in
//! between. If the line closes before that (the supervisor has died), what is held is forgotten: a group of
//! requests is carried out as a whole or not at all, whenever the supervisor dies. A supervisor has one
//! transaction at a time; single requests, also from another handle on the line, are carried out
//! at once meanwhile.
//!
//! "Carried out" is not "successful": a request in a transaction that fails or is refused is answered as a single
//! one is, when its turn comes, and the others go on. One that cannot be decoded keeps its place and is refused
//! then. A `Last` that cannot be decoded still ends the transaction.
//!
//! At most [`HELD_MAX`] requests, [`HELD_BYTES_MAX`] bytes and [`HELD_FDS_MAX`] descriptors are held. A request
//! that would be one too many makes the keeper carry out what it holds and say so
//! ([`Refusal::TooMuchHeld`]): requests are not lost, that they are all or nothing is. The request itself is the
//! first of a new transaction.
//!
//! A keeper of protocol 1 knows no transactions and refuses such packets as undecodable: see [`Hello::protocol`].
//!
//! # Another program
//!
//! After Upgrade the keeper tries the program out, in a process of its own, and goes on meanwhile. If it will not
//! do, the answer is UpgradeFailed. Otherwise the supervisor is killed (what it has sent is carried out as at
//! any death), the keeper becomes the new program by `exec`, with every child, entry and descriptor, and starts
//! a supervisor of that program. If none is Up in time, the keeper goes back to the program of before in the
//! same way. [`Hello::upgrade`] tells the next supervisor what has become of it.
//!
//! # Trust
//!
//! Both ends treat the other as hostile input: all lengths are checked before they are believed, a memfd
//! must be sealed against change, and nothing here panics.

mod attributes;
mod exit;
mod frame;
mod group;
mod message;
pub(crate) mod os;
mod spawn_spec;

pub use attributes::{Attributes, Identity, Rlimit};
pub use exit::{ExitInfo, ExitStatus};
pub use frame::{
    FrameError, INLINE_MAX, MAX_FDS, MESSAGE_MAX, Mode, Outgoing, decode, encode, encode_as,
    open_body,
};
pub use group::{GroupExit, GroupSpec, GroupsNote};
pub use message::{FromKeeper, Hello, Refusal, SpawnStage, ToKeeper, UpgradeNote};
pub use spawn_spec::{Env, SpawnSpec};

/// The version of this protocol. It changes only when an old peer could misunderstand a new one;
/// additions of fields and messages do not change it. 2: transactions. 3: [`Attributes`], without
/// which a process that was to be another user's would be root's.
pub const PROTOCOL_VERSION: u32 = 3;

/// The variable in the environment of every child that says whose it is: `<mark of the keeper>:<child>`, see
/// [`Hello::mark`].
pub const MARK: &str = "ROTA_WORKER";

/// The longest key of an entry, in bytes.
pub const KEY_MAX: usize = 256;

/// The most requests that the keeper holds for a transaction.
pub const HELD_MAX: usize = 4096;
/// The most bytes of requests that the keeper holds for a transaction: as many as its entries may have.
pub const HELD_BYTES_MAX: usize = 128 * 1024 * 1024;
/// The most descriptors that the keeper holds for a transaction.
pub const HELD_FDS_MAX: usize = 1024;
