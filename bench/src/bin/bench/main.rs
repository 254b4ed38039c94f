//! The benchmark: rota beside Node's own cluster and PM2, on the same sample server.
//!
//! Everything runs on loopback, in a temporary folder, and is killed at the end. Absolute figures depend
//! on the machine; repetitions are interleaved, and the ratios are what to look at.

mod cleanup;
mod contender;
mod context;
mod machine;
mod measure;
mod node;
mod pm2;
mod process;
mod table;

use std::process::ExitCode;

use clap::Parser;

use context::{Arguments, Context};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> context::Result<()> {
    let context = Context::prepare(arguments)?;
    let mut report = table::Report::new(machine::describe(&context));
    for measure in arguments.measure.parts() {
        eprintln!("bench: {} ...", measure.title());
        for section in measure::run(measure, &context)? {
            if !arguments.json {
                report.announce();
                println!("{section}");
            }
            report.sections.push(section);
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    }
    Ok(())
}
