//! The flags that start an app anew without need: changed files, times.

use std::path::PathBuf;

use clap::Args;
use rota_config::{CronSpec, RenewAction, Span, WatchSpec};

const RENEWAL: &str = "When it is started anew: changed files, times";

/// Flags for watched files and schedules.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct RenewalFlags {
    /// Start it anew when files change: in the working directory, or in these files and folders (behind the script)
    #[arg(long, value_name = "PATH", num_args = 0.., help_heading = RENEWAL)]
    pub watch: Option<Vec<PathBuf>>,

    /// What does not count besides what .gitignore names, as there: '*.md', /tmp; may be repeated
    #[arg(long, value_name = "PATTERN", requires = "watch", help_heading = RENEWAL)]
    pub ignore_watch: Vec<String>,

    /// So long nothing must have changed before anything happens [default: 200ms]
    #[arg(long, value_name = "TIME", requires = "watch", help_heading = RENEWAL)]
    pub watch_delay: Option<Span>,

    /// What happens then: reload, restart [default: reload]
    #[arg(long, value_name = "WHAT", requires = "watch", value_parser = action, help_heading = RENEWAL)]
    pub watch_action: Option<RenewAction>,

    /// Start it anew at times: '0 3 * * *' is every day at 3:00
    #[arg(long, value_name = "EXPR", visible_alias = "cron-restart", value_parser = schedule, help_heading = RENEWAL)]
    pub cron: Option<CronSpec>,

    /// The time zone of these times: Europe/Berlin, UTC [default: the daemon's]
    #[arg(long, value_name = "ZONE", requires = "cron", help_heading = RENEWAL)]
    pub cron_zone: Option<String>,

    /// What happens then: reload, restart [default: reload]
    #[arg(long, value_name = "WHAT", requires = "cron", value_parser = action, help_heading = RENEWAL)]
    pub cron_action: Option<RenewAction>,
}

fn action(text: &str) -> Result<RenewAction, String> {
    text.parse::<RenewAction>()
        .map_err(|error| error.to_string())
}

fn schedule(text: &str) -> Result<CronSpec, String> {
    let cron = CronSpec::new(text);
    match cron.check() {
        Ok(()) => Ok(cron),
        Err(error) => Err(format!("{error}\n{}", error.hint())),
    }
}

impl RenewalFlags {
    /// What is watched; paths as they were given.
    pub fn watch(&self) -> Option<WatchSpec> {
        let mut watch = WatchSpec {
            paths: self.watch.clone()?,
            ignore: self.ignore_watch.clone(),
            ..WatchSpec::default()
        };
        watch.delay = self.watch_delay.unwrap_or(watch.delay);
        watch.action = self.watch_action.unwrap_or_default();
        Some(watch)
    }

    /// The schedule.
    pub fn cron(&self) -> Option<CronSpec> {
        Some(CronSpec {
            zone: self.cron_zone.clone(),
            action: self.cron_action.unwrap_or_default(),
            ..self.cron.clone()?
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        renewal: RenewalFlags,
    }

    fn flags(args: &[&str]) -> Result<RenewalFlags, String> {
        let line = Line::try_parse_from([&["x"], args].concat());
        line.map(|line| line.renewal)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn places_may_follow() {
        let spec = |args: &[&str]| flags(args).unwrap().watch();
        assert_eq!(spec(&[]), None);
        assert_eq!(spec(&["--watch"]), Some(WatchSpec::default()));
        let watch = spec(&["--watch", "src", "lib", "--ignore-watch", "*.md"]).unwrap();
        assert_eq!(watch.paths, ["src", "lib"].map(PathBuf::from));
        assert_eq!(watch.ignore, ["*.md"]);
        let watch = spec(&[
            "--watch=src",
            "--watch-action",
            "restart",
            "--watch-delay",
            "1s",
        ]);
        let watch = watch.unwrap();
        assert_eq!(
            (watch.action, watch.delay.millis()),
            (RenewAction::Restart, 1000)
        );
        assert!(flags(&["--ignore-watch", "x"]).is_err());
    }

    #[test]
    fn an_expression_that_means_nothing_says_so() {
        let cron = flags(&["--cron", "0 3 * * *", "--cron-zone", "UTC"])
            .unwrap()
            .cron();
        assert_eq!(cron.unwrap().zone.as_deref(), Some("UTC"));
        let error = flags(&["--cron", "0 3 *"]).unwrap_err();
        assert!(
            error.contains("3 fields") && error.contains("every day"),
            "{error}"
        );
    }
}
