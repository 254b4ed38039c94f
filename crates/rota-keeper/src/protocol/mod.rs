//! The protocol between the keeper and its supervisor.
//!
//! # Transport
//!
//! A `SOCK_SEQPACKET` pair; the supervisor finds its end as descriptor 3. One packet is one message.
//! Descriptors travel as `SCM_RIGHTS` on the packet that names them, at most [`MAX_FDS`] of them.
//!
//! ```text
//! packet  = kind:u8 body
//! kind 0  : body is the message in CBOR, at most 64 KiB
//! kind 1  : body is length:u32le; the message is the content of a sealed memfd, which is the *last*
//!           descriptor of the packet (it is not one of the message's own); at most 16 MiB
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
//!                                   ◄────  Spawn, Signal, Put, PutBlob, Drop, MainPid, Forget
//!   Spawned | SpawnFailed ─────────────►   exactly one for each Spawn, in order
//!   Exited ────────────────────────────►   once, and as Child again to the next supervisor until Forget
//!   Signal, SignalFailed, Refused ─────►
//!                                   ◄────  Exit, then the supervisor exits
//! ```
//!
//! Requests are carried out in the order of arrival. Success of Signal, Put, PutBlob, Drop, MainPid and
//! Forget is silent. Everything sent before the supervisor dies is carried out before the next one starts.
//!
//! # Trust
//!
//! Both ends treat the other as hostile input: all lengths are checked before they are believed, a memfd
//! must be sealed against change, and nothing here panics.

mod exit;
mod frame;
mod message;
mod os;
mod spawn_spec;

pub use exit::{ExitInfo, ExitStatus};
pub use frame::{
    FrameError, INLINE_MAX, MAX_FDS, MESSAGE_MAX, Outgoing, decode, encode, open_body,
};
pub use message::{FromKeeper, Hello, Refusal, SpawnStage, ToKeeper};
pub use spawn_spec::{Env, SpawnSpec};

/// The version of this protocol. It changes only when an old peer could misunderstand a new one;
/// additions of fields and messages do not change it.
pub const PROTOCOL_VERSION: u32 = 1;

/// The longest key of an entry, in bytes.
pub const KEY_MAX: usize = 256;
