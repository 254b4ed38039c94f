//! From the command line to the verb, and from its result to the exit code.

use clap::{ColorChoice, CommandFactory, FromArgMatches};
use rota_api::ExitCode;

use super::{
    attach, check, completions, config, daemon, delete, describe, env, export, file, flush,
    import_pm2, init, kill, list, logs, man, ping, profile, reload, reset, restart, resurrect, run,
    scale, send, serve, signal, stack, start, startup, stop, test_reload, upgrade, version,
};
use crate::args::{Cli, VerbArgs};
use crate::context::Context;
use crate::failure::{Done, Stop};
use crate::output::print_failure;

/// Runs the command line.
pub fn main() -> std::process::ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code.into(),
    };
    let context = Context::new(cli.no_color);
    let code = match verb(&context, cli.verb) {
        Ok(code) => code,
        Err(Stop::Closed) => ExitCode::Ok,
        Err(Stop::Failure(failure)) => {
            print_failure(&failure, context.err_paint());
            failure.code
        }
    };
    code.into()
}

/// Help and usage errors are printed here; the code says which of them it was.
fn parse() -> Result<Cli, ExitCode> {
    // The parser itself must know about it before it has parsed anything.
    let plain = std::env::args_os()
        .take_while(|arg| arg != "--")
        .any(|arg| arg == "--no-color");
    let colour = match plain {
        true => ColorChoice::Never,
        false => ColorChoice::Auto,
    };
    let matches = Cli::command().color(colour).try_get_matches();
    matches
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| {
            let _closed = error.print();
            match error.use_stderr() {
                true => ExitCode::Usage,
                false => ExitCode::Ok,
            }
        })
}

fn verb(context: &Context, verb: VerbArgs) -> Done {
    match verb {
        VerbArgs::Run(args) => run::run(context, *args),
        VerbArgs::Start(args) => start::run(context, *args),
        VerbArgs::Apply(args) => file::apply(context, &args),
        VerbArgs::Export(args) => export::run(context, &args),
        VerbArgs::Serve(args) => serve::run(context, &args),
        VerbArgs::Check(args) => check::run(context, &args),
        VerbArgs::Init(args) => init::run(context, &args),
        VerbArgs::ImportPm2(args) => import_pm2::run(context, &args),
        VerbArgs::Config(args) => config::run(context, args),
        VerbArgs::Stop(args) => stop::run(context, args),
        VerbArgs::Restart(args) => restart::run(context, args),
        VerbArgs::Reload(args) => reload::run(context, args),
        VerbArgs::TestReload(args) => test_reload::run(context, &args),
        VerbArgs::Reset(args) => reset::run(context, args),
        VerbArgs::Scale(args) => scale::run(context, args),
        VerbArgs::Delete(args) => delete::run(context, args),
        VerbArgs::List(args) => list::run(context, &args),
        VerbArgs::Describe(args) => describe::run(context, &args),
        VerbArgs::Env(args) => env::run(context, args),
        VerbArgs::Logs(args) => logs::run(context, args),
        VerbArgs::Send(args) => send::run(context, args),
        VerbArgs::Attach(args) => attach::run(context, &args),
        VerbArgs::Flush(args) => flush::run(context, args),
        VerbArgs::ReloadLogs => flush::reopen(context),
        VerbArgs::Signal(args) => signal::run(context, args),
        VerbArgs::Stack(args) => stack::run(context, args),
        VerbArgs::Profile(args) => profile::run(context, args),
        // Only behind a flag of rota's own: otherwise the line never comes here.
        VerbArgs::Pm2(args) => crate::pm2::verb(&args.rest),
        VerbArgs::Ping(args) => ping::run(context, &args),
        VerbArgs::Startup(args) => startup::install(context, &args),
        VerbArgs::Unstartup(args) => startup::remove(context, &args),
        VerbArgs::Daemon => daemon::run(context),
        VerbArgs::Resurrect(args) => resurrect::run(context, &args),
        VerbArgs::Kill(args) => kill::run(context, &args),
        VerbArgs::Upgrade(args) => upgrade::run(context, &args),
        VerbArgs::Completions(args) => completions::run(context, &args),
        VerbArgs::Man(args) => man::run(context, &args),
        VerbArgs::Version(args) => version::run(context, &args),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn the_parser_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_examples_and_every_flag_has_help() {
        let cli = Cli::command();
        for verb in cli.get_subcommands() {
            let name = verb.get_name();
            assert!(verb.get_about().is_some(), "{name} has no description");
            let after = verb
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                after.contains(&format!("Examples:\n  rota {name}")),
                "{name}: {after}"
            );
            for arg in verb.get_arguments() {
                assert!(
                    arg.get_help().is_some(),
                    "{name} {} has no help",
                    arg.get_id()
                );
            }
        }
        for arg in cli.get_arguments() {
            assert!(arg.get_help().is_some(), "{} has no help", arg.get_id());
        }
    }

    #[test]
    fn the_documentation_knows_every_verb_flag_and_exit_code() {
        let doc = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
        let doc = std::fs::read_to_string(doc).unwrap();
        for verb in Cli::command().get_subcommands() {
            let name = verb.get_name();
            assert!(
                doc.contains(&format!("| `{name}")),
                "{name} is not in docs/cli.md"
            );
            for alias in verb.get_all_aliases() {
                assert!(
                    doc.contains(&format!("`{alias}`")),
                    "{alias} is not in docs/cli.md"
                );
            }
            let flags = verb.get_arguments().filter_map(|arg| arg.get_long());
            for flag in flags.filter(|flag| *flag != "help") {
                assert!(
                    doc.contains(&format!("`--{flag}")),
                    "--{flag} is not in docs/cli.md"
                );
            }
        }
        for code in ExitCode::ALL {
            let row = format!("| {} | {} |", code as u8, code.meaning());
            assert!(doc.contains(&row), "docs/cli.md lacks `{row}`");
        }
    }

    fn parsed(line: &str) -> Result<VerbArgs, clap::Error> {
        let words = std::iter::once("rota").chain(line.split(' ').filter(|word| !word.is_empty()));
        Cli::try_parse_from(words).map(|cli| cli.verb)
    }

    #[test]
    fn what_users_write_is_understood() {
        for line in [
            "start",
            "start shop.toml --env production --only a,b --only c",
            "check shop.toml --json",
            "init --stdout",
            "config show api --json",
            "config schema",
            "apply shop.toml --env production --only a,b --dry-run --json",
            "apply --prune -y",
            "export api web -o x.toml --force --reveal --all-env",
            "reload rota.toml --env production",
            "start app.js",
            "start app.js -i -1",
            "start app.js -i max --name api",
            "start app.js --instances=0",
            "start a.js b.js -- -i x --y",
            "start app.js --node-args --inspect",
            "start app.js --node-args=--max-old-space-size=9",
            "start app.js -e A=1 --env B=2=3 --no-wait --force --json",
            "start app.js --listen web=8080 --listen /run/a.sock",
            "start app.js --probe http://localhost:1/ --probe-interval 1s",
            "start app.js --stop-exit-codes 0,143 --stop-signal int",
            "run app.js -i 2 --fork --no-color",
            "--no-color list",
            "test-reload api --times 3 --concurrency 2 --url /x --json",
            "scale api -1",
            "stack api api:2 --json",
            "profile cpu api --duration 2s -o x",
            "profile heap api:1 --json",
            "scale api +2",
            "scale api 0",
            "reload api web --update-env --env X=1",
            "restart 0 1:2 all",
            "ls --json",
            "ps",
            "status api",
            "del all",
            "show api",
            "logs -n 3 -f",
            "logs api --lines 0 --err",
            "logs api --since 10m --grep a.*b -f",
            "logs --since 2026-01-31 --until 2026-02-01",
            "flush",
            "flush api web:1 --json",
            "reload-logs",
            "start app.js -o out.log --error err.log --log-format json --rotate-every daily",
            "signal usr2 api",
            "start app.js --stdin pipe",
            "send api reload config --no-newline",
            "send api -",
            "send api --wait 0 --json -- --flag",
            "attach api:0 --lines 0 --raw",
            "kill --now",
        ] {
            assert!(
                parsed(line).is_ok(),
                "{line}: {}",
                parsed(line).unwrap_err()
            );
        }
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for line in [
            "",
            "nonsense",
            "start app.js -i many",
            "start app.js -i -2x",
            "start app.js --name all",
            "start app.js --listen-timeout soon",
            "start app.js --probe-interval 1s",
            "start app.js --env =VALUE",
            "start app.js --stop-signal SIGNOTHING",
            "start app.js --balance fair",
            "start app.js --stdin inherit",
            "send",
            "attach",
            "attach a b",
            "config",
            "init --stdout --force",
            "apply --prune --only a",
            "export --force",
            "reload",
            "test-reload",
            "test-reload api --times 0",
            "scale app",
            "scale app many",
            "stack",
            "profile",
            "profile cpu",
            "profile cpu api --duration soon",
            "profile disk api",
            "signal api",
            "signal SIGNONSENSE api",
            "logs --out --err",
            "logs --since yesterday",
            "logs --grep (",
            "start app.js --log-time %!",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
        let error = parsed("start app.js --blance shared")
            .unwrap_err()
            .to_string();
        assert!(error.contains("--balance"), "{error}");
    }
}
