//! What a daemon begins with.

use rota_api::{DaemonBoot, RunOptions, StartRequest};
use rota_config::AppSpec;
use rota_config::file::Origins;

type Start = StartRequest<AppSpec, Origins>;

/// The entry `boot`, read. Every supervisor reads it; only the first begins with it.
#[derive(Debug)]
pub(crate) struct Boot {
    /// With what ran when the daemon before ended.
    pub(crate) resurrect: bool,
    /// With these apps; or why they are not known.
    pub(crate) start: Result<Option<Start>, String>,
    /// How it behaves.
    pub(crate) run: RunOptions,
}

impl Boot {
    /// Reads it, also in the form of rota 0.1: the start request alone.
    pub(crate) fn read(blob: &[u8]) -> Self {
        let known = serde_json::from_slice::<DaemonBoot<AppSpec, Origins>>(blob);
        let (resurrect, start, run) = match known {
            Ok(boot) => (boot.resurrect, Ok(boot.start), boot.run),
            Err(error) => {
                let old = serde_json::from_slice::<Start>(blob).map(Some);
                let start = old.map_err(|_| error.to_string());
                (false, start, RunOptions::default())
            }
        };
        Self {
            resurrect,
            start,
            run,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_before_are_understood() {
        let new = Boot::read(br#"{"resurrect":true,"run":{"grace_ms":5}}"#);
        assert!(new.resurrect && new.start.unwrap().is_none());
        assert_eq!(new.run.grace_ms, Some(5));
        let old = Boot::read(br#"{"apps":[]}"#);
        assert!(!old.resurrect && old.start.unwrap().unwrap().apps.is_empty());
        let neither = Boot::read(br#"{"apps":[],"colour":1}"#);
        assert!(neither.start.unwrap_err().contains("apps"));
    }
}
