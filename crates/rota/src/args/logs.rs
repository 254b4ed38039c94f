//! The flags that say what becomes of the output of an app.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rota_config::{LogFormat, LogSpec, Period, ShowAs, Size, Span, check_log_place, check_time};

const LOGS: &str = "What becomes of its output";

/// Flags for logs.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct LogFlags {
    /// File of standard output, for all workers; with {slot} in its name one for each [default: in ROTA_HOME/logs]
    #[arg(short, long, value_name = "FILE", value_parser = place, help_heading = LOGS)]
    pub output: Option<PathBuf>,

    /// File of standard error, in the same way [default: in ROTA_HOME/logs]
    #[arg(long, value_name = "FILE", value_parser = place, help_heading = LOGS)]
    pub error: Option<PathBuf>,

    /// A file that gets both, besides the others
    #[arg(long, value_name = "FILE", value_parser = place, help_heading = LOGS)]
    pub log: Option<PathBuf>,

    /// All workers write to the same two files in ROTA_HOME/logs
    #[arg(long, help_heading = LOGS)]
    pub merge_logs: bool,

    /// No files: only those who follow see it
    #[arg(long, conflicts_with_all = ["output", "error", "log", "merge_logs"], help_heading = LOGS)]
    pub no_logs: bool,

    /// How a line is written: plain, json; and shown by `rota run`: prefix, raw, json [default: plain]
    #[arg(long, value_name = "FORM", help_heading = LOGS)]
    pub log_format: Option<LineForm>,

    /// What stands in front of each line of a file, as by strftime: '%Y-%m-%d %H:%M:%S%.3f'
    #[arg(long, value_name = "FORMAT", value_parser = time_format, help_heading = LOGS)]
    pub log_time: Option<String>,

    /// Put a file aside when it has grown to this; 0 = whatever its size [default: 20M]
    #[arg(long, value_name = "SIZE", help_heading = LOGS)]
    pub rotate_size: Option<Size>,

    /// Put a file aside when the next one begins: hourly, daily, weekly
    #[arg(long, value_name = "PERIOD", value_parser = period, help_heading = LOGS)]
    pub rotate_every: Option<Period>,

    /// How many files are kept besides the one that is written [default: 5]
    #[arg(long, value_name = "N", help_heading = LOGS)]
    pub rotate_keep: Option<u32>,

    /// Remove files that were put aside longer ago: 30d
    #[arg(long, value_name = "TIME", help_heading = LOGS)]
    pub rotate_max_age: Option<Span>,

    /// Do not compress files that were put aside
    #[arg(long, help_heading = LOGS)]
    pub no_rotate_compress: bool,

    /// Send each line to journald as well
    #[arg(long, help_heading = LOGS)]
    pub journald: bool,
}

/// How a line is written and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LineForm {
    /// As it is; `rota run` names the workers when there are several.
    Plain,
    /// As an object of JSON, in files and by `rota run`.
    Json,
    /// `rota run` names the worker in front of each line.
    Prefix,
    /// `rota run` shows it as it is.
    Raw,
}

impl LogFlags {
    /// As a part of the specification.
    pub fn to_spec(&self) -> LogSpec {
        let mut spec = LogSpec {
            disabled: self.no_logs,
            out: self.output.clone(),
            err: self.error.clone(),
            joined: self.log.clone(),
            merge: self.merge_logs,
            time: self.log_time.clone(),
            journald: self.journald,
            ..LogSpec::default()
        };
        (spec.format, spec.show) = match self.log_format {
            None | Some(LineForm::Plain) => (LogFormat::Plain, None),
            Some(LineForm::Json) => (LogFormat::Json, Some(ShowAs::Json)),
            Some(LineForm::Prefix) => (LogFormat::Plain, Some(ShowAs::Prefix)),
            Some(LineForm::Raw) => (LogFormat::Plain, Some(ShowAs::Raw)),
        };
        let rotate = &mut spec.rotate;
        if let Some(size) = self.rotate_size {
            rotate.size = Some(size).filter(|size| size.bytes() > 0);
        }
        rotate.every = self.rotate_every;
        rotate.keep = self.rotate_keep.unwrap_or(rotate.keep);
        rotate.max_age.clone_from(&self.rotate_max_age);
        rotate.compress = !self.no_rotate_compress;
        spec
    }
}

fn period(text: &str) -> Result<Period, String> {
    match text {
        "hourly" | "hour" => Ok(Period::Hourly),
        "daily" | "day" => Ok(Period::Daily),
        "weekly" | "week" => Ok(Period::Weekly),
        _ => Err("it must be hourly, daily or weekly".to_owned()),
    }
}

fn place(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    check_log_place(&path)?;
    Ok(path)
}

fn time_format(text: &str) -> Result<String, String> {
    check_time(text)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        logs: LogFlags,
    }

    fn spec(args: &str) -> LogSpec {
        let words = std::iter::once("x").chain(args.split_whitespace());
        Line::try_parse_from(words).unwrap().logs.to_spec()
    }

    #[test]
    fn flags_become_settings() {
        assert_eq!(spec(""), LogSpec::default());
        let spec = spec(
            "-o out.log --error err.log --log all.log --log-format json --log-time %H:%M --rotate-size 1M \
             --rotate-every daily --rotate-keep 3 --rotate-max-age 7d --no-rotate-compress --journald",
        );
        assert_eq!(spec.out, Some("out.log".into()));
        assert_eq!(spec.format, LogFormat::Json);
        assert_eq!(spec.show, Some(ShowAs::Json));
        assert_eq!(spec.rotate.size.unwrap().bytes(), 1024 * 1024);
        assert_eq!(
            (spec.rotate.every, spec.rotate.keep),
            (Some(Period::Daily), 3)
        );
        assert!(!spec.rotate.compress && spec.journald);
    }

    #[test]
    fn rotation_by_size_can_be_switched_off() {
        assert_eq!(spec("--rotate-size 0").rotate.size, None);
        assert_eq!(spec("--log-format raw").show, Some(ShowAs::Raw));
        for wrong in [
            "--log-time %!",
            "--rotate-every yearly",
            "--no-logs -o x",
            "--output logs/",
            "--error .",
        ] {
            let words = std::iter::once("x").chain(wrong.split_whitespace());
            assert!(Line::try_parse_from(words).is_err(), "{wrong}");
        }
    }
}
