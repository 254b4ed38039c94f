//! App specifications, and every format that they are read from.
//!
//! [`AppSpec`] is the one description of an app that the command line, the API, the stored state
//! and the supervisor share. [`resolve`] turns it into what is really executed.

mod agent;
mod compat;
mod defaults;
mod env;
pub mod file;
pub mod foreign;
mod instances;
mod listen;
mod logs;
mod name;
mod probe;
mod process;
mod renewal;
mod resolve;
mod resources;
mod signal;
mod size;
mod span;
mod spec;
mod stdin;
#[cfg(test)]
mod testing;
mod timetable;
mod update;

pub use agent::{AgentSpec, GuardLoss, LimitSpec};
pub use compat::CompatSpec;
pub use env::Env;
pub use instances::{Instances, InstancesError, ScaleTo};
pub use listen::{ListenAddr, ListenError, ListenTarget};
pub use logs::{
    LogFormat, LogSpec, Period, RotateSpec, ShowAs, check_place as check_log_place, check_time,
};
pub use name::{AppName, NameError};
pub use probe::{Probe, ProbeError, ProbeHost, ProbeTarget};
pub use process::{
    NamedRlimit, PERSONAL, ProcessSpec, Rlimit, RlimitError, RlimitName, Umask, UmaskError,
};
pub use renewal::{CronSpec, RenewAction, WatchSpec};
pub use resolve::{Kind, Launch, ResolveError, ResolveErrorKind, resolve};
pub use resources::{CpuMax, CpuMaxError, ResourceSpec};
pub use signal::{SignalError, SignalName};
pub use size::{Size, SizeError};
pub use span::{Span, SpanError};
pub use spec::{
    AppSpec, Balance, ExecMode, ReadinessSpec, RestartSpec, SpecProblem, StopSpec, UnknownWord,
};
pub use stdin::Stdin;
pub use timetable::{CronError, Due, Timetable};
pub use update::{Described, SpecUpdate};
