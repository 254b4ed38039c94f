//! The messages of both directions.

use std::ffi::OsString;

use minicbor::{Decode, Encode};

use super::{ExitInfo, GroupsNote, SpawnSpec, os};

/// A request of the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ToKeeper {
    /// Start a process. Its descriptors come with the message, one for each of `spec.targets`.
    /// Answered by [`FromKeeper::Spawned`] or [`FromKeeper::SpawnFailed`].
    #[n(0)]
    Spawn {
        /// Chosen by the supervisor, repeated in the answer.
        #[n(0)]
        request: u64,
        /// The child's key, chosen by the supervisor (its worker id); must not be in use.
        #[n(1)]
        child: u64,
        /// What to start.
        #[n(2)]
        spec: SpawnSpec,
    },
    /// Send a signal to a child. Failure only is answered, by [`FromKeeper::SignalFailed`].
    #[n(1)]
    Signal {
        /// The child's key.
        #[n(0)]
        child: u64,
        /// The signal's number.
        #[n(1)]
        signal: i32,
        /// To its whole process group.
        #[n(2)]
        group: bool,
    },
    /// Keep this entry with the descriptors of the message, instead of what the key held before.
    #[n(2)]
    Put {
        /// The key, 1 to [`super::KEY_MAX`] bytes.
        #[n(0)]
        key: String,
        /// Whatever the supervisor wants to find again; the keeper does not look into it.
        #[cbor(n(1), with = "minicbor::bytes")]
        blob: Vec<u8>,
    },
    /// Replace an entry's blob and keep its descriptors. Makes a new entry without descriptors if there is none.
    #[n(3)]
    PutBlob {
        /// The key.
        #[n(0)]
        key: String,
        /// The new blob.
        #[cbor(n(1), with = "minicbor::bytes")]
        blob: Vec<u8>,
    },
    /// Forget an entry and close its descriptors. Silent when there is none.
    #[n(4)]
    Drop {
        /// The key.
        #[n(0)]
        key: String,
    },
    /// From now on this process *is* the child (`MAINPID=` of sd_notify): its exit is the child's exit,
    /// signals go to it, and the exit of the process first spawned ends nothing. Refused unless it is a
    /// descendant of that child.
    #[n(5)]
    MainPid {
        /// The child's key.
        #[n(0)]
        child: u64,
        /// The process.
        #[n(1)]
        pid: u32,
    },
    /// The child's exit has been dealt with and need not be told to the next supervisor. Its key is free.
    #[n(6)]
    Forget {
        /// The child's key.
        #[n(0)]
        child: u64,
    },
    /// The end: kill the children that are left, wait for the supervisor to exit, exit.
    #[n(7)]
    Exit {
        /// The keeper's exit code.
        #[n(0)]
        code: i32,
    },
    /// This supervisor has taken over everything that was handed back. If it dies a second or more after this, the
    /// next one is started at once, however often that happens.
    #[n(8)]
    Up,
    /// Become this program. Failure before this supervisor is killed is answered by [`FromKeeper::UpgradeFailed`];
    /// what comes later is told to the next supervisor, by [`Hello::upgrade`].
    #[n(9)]
    Upgrade {
        /// An absolute path.
        #[cbor(n(0), with = "os::one")]
        program: OsString,
    },
    /// Tell this to whoever has started the keeper and waits for notices (`sd_notify`); nothing if nobody does.
    #[n(10)]
    Notify {
        /// Assignments, one per line.
        #[n(0)]
        text: String,
    },
    /// What this entry holds, now and later, is to lie with that one as well, if it keeps sockets
    /// ([`Hello::keeps_sockets`]): a keeper that it starts after this one was killed begins with them, as entries
    /// [`crate::STORED_KEY`]`<number>`. Until the entry is dropped, unless another one that is shared holds the same socket.
    #[n(11)]
    Share {
        /// The key; silent when there is none.
        #[n(0)]
        key: String,
    },
    /// The answer to [`FromKeeper::Ping`].
    #[n(12)]
    Alive {
        /// As in the question.
        #[n(0)]
        number: u64,
    },
}

/// A message of the keeper.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum FromKeeper {
    /// The first message to every supervisor.
    #[n(0)]
    Hello(#[n(0)] Hello),
    /// An entry; its descriptors (copies, the keeper keeps its own) come with the message.
    #[n(1)]
    Entry {
        /// The key.
        #[n(0)]
        key: String,
        /// The blob.
        #[cbor(n(1), with = "minicbor::bytes")]
        blob: Vec<u8>,
    },
    /// A child from the time of an earlier supervisor, in the order of their keys.
    #[n(2)]
    Child {
        /// The child's key.
        #[n(0)]
        child: u64,
        /// Its process id (of the main process).
        #[n(1)]
        pid: u32,
        /// Its exit, if nobody has said [`ToKeeper::Forget`] yet.
        #[n(2)]
        exited: Option<ExitInfo>,
        /// The directory of its control group, if it has one.
        #[n(3)]
        group: Option<String>,
    },
    /// Everything has been handed back.
    #[n(3)]
    Restored,
    /// The process runs: `exec` has succeeded.
    #[n(4)]
    Spawned {
        /// As in the request.
        #[n(0)]
        request: u64,
        /// The child's key.
        #[n(1)]
        child: u64,
        /// Its process id; also the id of its process group.
        #[n(2)]
        pid: u32,
        /// The directory of its control group, if it has one.
        #[n(3)]
        group: Option<String>,
    },
    /// No process runs. The key is free.
    #[n(5)]
    SpawnFailed {
        /// As in the request.
        #[n(0)]
        request: u64,
        /// The child's key.
        #[n(1)]
        child: u64,
        /// Where it failed.
        #[n(2)]
        stage: SpawnStage,
        /// The error number; 0 if none belongs to it.
        #[n(3)]
        errno: i32,
        /// For people: what failed, why, and a hint where there is one.
        #[n(4)]
        message: String,
    },
    /// A child has ended; nothing of its process group is left.
    #[n(6)]
    Exited {
        /// The child's key.
        #[n(0)]
        child: u64,
        /// The process id that it had.
        #[n(1)]
        pid: u32,
        /// How it ended.
        #[n(2)]
        exit: ExitInfo,
    },
    /// A signal could not be sent.
    #[n(7)]
    SignalFailed {
        /// The child's key.
        #[n(0)]
        child: u64,
        /// The signal's number.
        #[n(1)]
        signal: i32,
        /// Why; `ESRCH` also when there is no such child or it has exited.
        #[n(2)]
        errno: i32,
    },
    /// The keeper itself has received a signal (HUP, USR1, USR2, TERM, INT, QUIT, TTIN or TTOU).
    #[n(8)]
    Signal {
        /// Its number.
        #[n(0)]
        number: i32,
    },
    /// A request was not carried out.
    #[n(9)]
    Refused {
        /// Why, for programs.
        #[n(0)]
        reason: Refusal,
        /// What it was about: the entry's key or the child's, as text; empty if unknown.
        #[n(1)]
        about: String,
        /// Why, for people.
        #[n(2)]
        message: String,
    },
    /// The keeper stays the program that it is; nothing has changed.
    #[n(10)]
    UpgradeFailed {
        /// Why, for people.
        #[n(0)]
        message: String,
    },
    /// Are you there? To be answered by [`ToKeeper::Alive`]; only asked of a supervisor that is Up. One that does not
    /// answer within the watchdog's time, a minute unless the keeper's manager says otherwise, is killed.
    #[n(11)]
    Ping {
        /// To be repeated.
        #[n(0)]
        number: u64,
    },
}

/// Who the keeper is.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hello {
    /// [`super::PROTOCOL_VERSION`] of the keeper. To one of version 1, send single requests only;
    /// from one before version 3, order no process with [`super::Attributes`].
    #[n(0)]
    pub protocol: u32,
    /// The keeper's process id.
    #[n(1)]
    pub keeper_pid: u32,
    /// The version of the program that the keeper runs.
    #[n(2)]
    pub version: String,
    /// Whether the keeper runs in the foreground (`rota run`).
    #[n(3)]
    pub foreground: bool,
    /// How many supervisors came before this one.
    #[n(4)]
    pub restarts: u32,
    /// How the last one ended, if there was one.
    #[n(5)]
    pub last_exit: Option<ExitInfo>,
    /// How many supervisors in a row, up to this one, ended before they were [`ToKeeper::Up`] for a second, and by
    /// something else than somebody's SIGKILL, or hung and had never answered a [`FromKeeper::Ping`]. One that was killed
    /// before that neither counts nor ends the row. 0 from keepers that do not tell.
    #[n(6)]
    #[cbor(default)]
    pub series: u32,
    /// The last upgrade, if it succeeded or failed since a supervisor was Up. Told until one is.
    #[n(7)]
    pub upgrade: Option<UpgradeNote>,
    /// What the keeper can do with control groups; `None` from one that knows nothing of them.
    #[n(8)]
    pub groups: Option<Box<GroupsNote>>,
    /// What the marks of this keeper's children begin with: their variable [`super::MARK`] is `<mark>:<child>`.
    /// Keepers that do not tell have none to tell.
    #[n(9)]
    pub mark: Option<String>,
    /// Whether who has started the keeper keeps sockets for the next one, see [`ToKeeper::Share`].
    #[n(10)]
    #[cbor(default)]
    pub keeps_sockets: bool,
}

/// What has become of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UpgradeNote {
    /// The version of the keeper before.
    #[n(0)]
    pub from: String,
    /// The version of the new program, if the keeper was that at any time.
    #[n(1)]
    pub to: Option<String>,
    /// The new program's path.
    #[cbor(n(2), with = "os::one")]
    pub program: OsString,
    /// Why it failed, for people. The keeper is the program of before (again).
    #[n(3)]
    pub failed: Option<String>,
}

/// The step of a spawn that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum SpawnStage {
    /// The request itself: the key is in use, too few or too many descriptors, too many children.
    #[n(0)]
    Request,
    /// Looking the program up, or arguments with a NUL byte in them.
    #[n(1)]
    Prepare,
    /// Making the new process (`EAGAIN`: too many processes; `ENOMEM`).
    #[n(2)]
    Fork,
    /// The session or the process group.
    #[n(3)]
    Attributes,
    /// The working directory.
    #[n(4)]
    Cwd,
    /// The descriptors.
    #[n(5)]
    Fds,
    /// `execve` (`ENOENT`, `EACCES`, `ENOEXEC`, `E2BIG`).
    #[n(6)]
    Exec,
    /// Resource limits, or the score for the kernel's choice when memory is short (`EPERM`, `EACCES`).
    #[n(7)]
    Limits,
    /// The scheduling priority (`EPERM`, `EACCES`).
    #[n(8)]
    Priority,
    /// The user and its groups (`EPERM`: only root).
    #[n(9)]
    Identity,
    /// Giving up new privileges.
    #[n(10)]
    Privileges,
    /// The control group, or its limits (`EOPNOTSUPP`: a controller is missing).
    #[n(11)]
    Group,
}

/// Why a request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Refusal {
    /// The packet could not be decoded: damaged, or a message of a later version.
    #[n(0)]
    Undecodable,
    /// The packet's descriptors did not all arrive: the keeper's table of open files is full.
    #[n(1)]
    FdsLost,
    /// A limit of the keeper's store: length of the key, size of the blobs, number of entries.
    #[n(2)]
    Limit,
    /// No such child.
    #[n(3)]
    NoSuchChild,
    /// The process named is not a descendant of the child.
    #[n(4)]
    NotADescendant,
    /// The child still runs.
    #[n(5)]
    StillRunning,
    /// A transaction was larger than the keeper holds. Its requests so far have been carried out, and the others
    /// will be, but no longer all or none. No request was lost.
    #[n(6)]
    TooMuchHeld,
}
