//! The flags that say who the workers of an app are, and what they may use.

use clap::Args;
use rota_config::{NamedRlimit, ProcessSpec, Umask};

const PROCESS: &str = "Who it is, and what it may use";

/// Flags for the process itself.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct ProcessFlags {
    /// Run the workers as this user, by name or number; only for root
    #[arg(long, value_name = "USER", help_heading = PROCESS)]
    pub user: Option<String>,

    /// Their group [default: the user's primary group]
    #[arg(long, value_name = "GROUP", help_heading = PROCESS)]
    pub group: Option<String>,

    /// Their supplementary groups, separated by commas; '' = none [default: all of the user]
    #[arg(long, value_name = "GROUPS", help_heading = PROCESS)]
    pub groups: Option<String>,

    /// Bar setuid programs from giving new privileges [default: true with --user]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = PROCESS)]
    pub no_new_privs: Option<bool>,

    /// File mode creation mask: 027 [default: the daemon's]
    #[arg(long, value_name = "MASK", help_heading = PROCESS)]
    pub umask: Option<Umask>,

    /// Added to the scheduling priority, -20 to 19; more is nicer to others
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = PROCESS)]
    pub nice: Option<i32>,

    /// Limit of a resource: nofile=65536, core=0, nproc=100:200, memlock=unlimited; may be repeated
    #[arg(long, value_name = "NAME=SOFT[:HARD]", help_heading = PROCESS)]
    pub rlimit: Vec<NamedRlimit>,

    /// How gladly the kernel kills it when memory is short: -1000 (never) to 1000 (first)
    #[arg(long, value_name = "N", allow_hyphen_values = true, help_heading = PROCESS)]
    pub oom_score_adj: Option<i32>,
}

impl ProcessFlags {
    /// As a part of the specification.
    pub fn to_spec(&self) -> ProcessSpec {
        let names = |list: &String| {
            let names = list.split(',').map(str::trim);
            let names = names.filter(|name| !name.is_empty());
            names.map(str::to_owned).collect()
        };
        ProcessSpec {
            user: self.user.clone(),
            group: self.group.clone(),
            groups: self.groups.as_ref().map(names),
            no_new_privs: self.no_new_privs,
            umask: self.umask,
            nice: self.nice,
            rlimits: self
                .rlimit
                .iter()
                .map(|named| (named.name, named.limit))
                .collect(),
            oom_score_adj: self.oom_score_adj,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rota_config::RlimitName;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        process: ProcessFlags,
    }

    fn spec(args: &[&str]) -> ProcessSpec {
        let line = Line::try_parse_from([&["x"], args].concat()).unwrap();
        line.process.to_spec()
    }

    #[test]
    fn flags_become_settings() {
        let spec = spec(&[
            "--user",
            "web",
            "--groups",
            "ssl, 7",
            "--umask",
            "027",
            "--nice",
            "-5",
            "--rlimit",
            "nofile=10:20",
            "--rlimit",
            "core=0",
            "--oom-score-adj",
            "-1",
        ]);
        assert_eq!(spec.user.as_deref(), Some("web"));
        assert_eq!(spec.groups, Some(vec!["ssl".to_owned(), "7".to_owned()]));
        assert_eq!((spec.nice, spec.oom_score_adj), (Some(-5), Some(-1)));
        assert_eq!(spec.rlimits[&RlimitName::Nofile].hard, 20);
        assert!(spec.bars_privileges());
    }

    #[test]
    fn no_flags_no_settings() {
        assert_eq!(spec(&[]), ProcessSpec::default());
        assert_eq!(spec(&["--groups", ""]).groups, Some(Vec::new()));
        assert_eq!(spec(&["--no-new-privs"]).no_new_privs, Some(true));
        let open = spec(&["--user", "web", "--no-new-privs=false"]);
        assert!(!open.bars_privileges());
    }
}
