//! Looking into workers: stacks and profiles.

use serde::{Deserialize, Serialize};

/// Where the JavaScript of workers is (`POST /v1/stack`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackRequest {
    /// Names, ids, `name:slot` or `all`.
    pub targets: Vec<String>,
}

/// The answer to a [`StackRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackResponse {
    /// One entry for each worker that has a process.
    pub workers: Vec<StackView>,
}

/// Where the JavaScript of a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackView {
    /// Its app.
    pub app: String,
    /// Its slot.
    pub slot: u32,
    /// Its number.
    pub worker: u64,
    /// Its process.
    pub pid: Option<u32>,
    /// What it does.
    pub state: StackState,
    /// The stack, innermost function first.
    pub stack: Vec<String>,
    /// Why there is no stack.
    pub reason: Option<String>,
}

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StackState {
    /// JavaScript runs.
    Running,
    /// No JavaScript runs.
    Idle,
    /// It cannot be seen.
    #[serde(other)]
    Unknown,
}

/// Record a profile (`POST /v1/profile`). The answer is the profile itself; the header
/// [`ProfileSource::HEADER`] says whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileRequest {
    /// A name, an id or `name:slot`. Of several workers the busiest is taken.
    pub target: String,
    /// What to record.
    pub kind: ProfileKind,
    /// For how long, in milliseconds; not for a heap snapshot.
    #[serde(default)]
    pub duration_ms: u64,
}

/// What to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    /// Where processor time goes: a `.cpuprofile`.
    Cpu,
    /// What is in memory: a `.heapsnapshot`.
    Heap,
}

/// Whose profile it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileSource {
    /// The app.
    pub app: String,
    /// The slot.
    pub slot: u32,
    /// The worker's process.
    pub pid: u32,
    /// From how many workers it was chosen, as the busiest.
    pub of: u32,
}

impl ProfileSource {
    /// The header that carries it as JSON.
    pub const HEADER: &str = "rota-profile";
}

impl ProfileKind {
    /// How files of this kind end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Cpu => "cpuprofile",
            Self::Heap => "heapsnapshot",
        }
    }
}
