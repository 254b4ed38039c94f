//! Readiness of programs that cannot say it themselves: somebody knocks until they answer.
//!
//! ```ignore
//! let probe = Probe { target: "http://127.0.0.1:8080/health".parse::<ProbeTarget>()?, interval: …, timeout: … };
//! // Never ends by itself: wrap it in the listen timeout, and keep the last error for the report.
//! wait_until_ready(&probe, |error: ProbeError| last = Some(error.to_string())).await;
//! try_once(&probe).await?; // one knock
//! ```
