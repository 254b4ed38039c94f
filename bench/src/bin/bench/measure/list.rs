//! How long the list command takes.

use std::process::Command;
use std::time::Duration;

use crate::contender::{COMMAND_LIMIT, Contender, Service, Site};
use crate::context::{Context, Result};
use crate::process;
use crate::table::{Aim, Row, Section, median, ratio};

/// What `rota list` may take.
const AIM_MS: f64 = 4.0;

/// Times the command many times, beside `/bin/true`, which shows what starting any program costs.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    let mut services = Vec::new();
    for contender in Contender::chosen(context, &[Contender::ROTA[0], Contender::Pm2]) {
        services.push(Site::new(context, contender)?.start("server.js", context.workers)?);
    }
    let times = context.pick(100, 10);
    let mut bare = Vec::new();
    let mut samples = vec![Vec::new(); services.len()];
    for round in 0..times {
        bare.push(millis(process::time(
            &mut Command::new("/bin/true"),
            COMMAND_LIMIT,
        )?));
        for (service, samples) in services.iter().zip(&mut samples) {
            // PM2's takes a hundred times longer: a tenth of the rounds will do.
            if service.site.contender.is_rota() || round % 10 == 0 {
                samples.push(list(service)?);
            }
        }
    }
    let base = median(&bare);
    let mut rows = vec![row("/bin/true".to_owned(), &bare, base)];
    let mut aims = Vec::new();
    for (service, samples) in services.iter().zip(&samples) {
        let contender = service.site.contender;
        let name = if contender.is_rota() {
            "rota list"
        } else {
            "pm2 list"
        };
        rows.push(row(name.to_owned(), samples, base));
        if contender.is_rota() {
            let text = format!("`rota list` takes at most {AIM_MS} ms");
            aims.push(Aim::new(median(samples) <= AIM_MS, text));
        }
    }
    Ok(vec![Section {
        title: "Time of the list command".to_owned(),
        how: format!(
            "One app with {} workers, output to /dev/null; median of {times} times.",
            context.workers
        ),
        columns: ["command", "ms", "by true", "fastest"]
            .map(str::to_owned)
            .to_vec(),
        rows,
        aims,
    }])
}

fn list(service: &Service<'_>) -> Result<f64> {
    let mut command = service.site.command()?;
    Ok(millis(process::time(command.arg("list"), COMMAND_LIMIT)?))
}

fn row(name: String, samples: &[f64], base: f64) -> Row {
    let value = median(samples);
    let fastest = samples.iter().copied().fold(f64::INFINITY, f64::min);
    Row {
        name,
        value,
        cells: vec![
            format!("{value:.2}"),
            ratio(value, Some(base)),
            format!("{fastest:.2}"),
        ],
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
