//! Readiness of programs that cannot say it themselves: somebody knocks until they answer.
//!
//! ```ignore
//! // Never ends by itself: wrap it in the listen timeout, and keep the last error for the report.
//! wait_until_ready(&probe, |error: ProbeError| last = Some(error.describe())).await;
//! try_once(&probe).await?; // one knock
//! ```

mod http;
#[cfg(fuzzing)]
pub(crate) use http::get;
mod knock;

pub use knock::{ProbeError, try_once, wait_until_ready};
