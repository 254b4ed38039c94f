//! How evenly kept connections are spread over the workers.

use std::net::IpAddr;
use std::time::Duration;

use rota_bench::load::{Load, Report, Share};

use crate::contender::{Contender, Site};
use crate::context::{Context, Result};
use crate::table::{Aim, Row, Section, median, ratio};

/// Connections that are kept open.
const CONNECTIONS: u8 = 200;
/// What a person would call even: 51 of 200 over four workers.
const AIM: f64 = 1.02;

/// Opens 200 connections at once, several times, and looks at the most and the least loaded worker.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    let mut contenders = Contender::ROTA.to_vec();
    contenders.extend([Contender::BASE, Contender::Node("none"), Contender::Pm2]);
    let mut rows = Vec::new();
    let mut aims = Vec::new();
    for contender in Contender::chosen(context, &contenders) {
        let (most, least, row) = spread(context, contender)?;
        if contender == Contender::ROTA[0] {
            let text =
                format!("the most loaded worker has at most {AIM} of the mean in the default mode");
            aims.push(Aim::new(most <= AIM && least >= 2.0 - AIM, text));
        }
        rows.push(row);
    }
    Ok(vec![Section {
        title: format!("Share of {CONNECTIONS} kept connections"),
        how: format!(
            "{} workers; {CONNECTIONS} clients connect at once and keep their connections; 1.00 is even; median and \
             worst of {} times.",
            context.workers,
            times(context)
        ),
        columns: [
            "manager",
            "most/mean",
            "least/mean",
            "most/least",
            "worst most/mean",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
        aims,
    }])
}

fn times(context: &Context) -> usize {
    context.pick(7, 2)
}

/// The medians of the most and the least loaded worker's share, and their row.
fn spread(context: &Context, contender: Contender) -> Result<(f64, f64, Row)> {
    let service = Site::new(context, contender)?.start("server.js", context.workers)?;
    let mut most = Vec::new();
    let mut least = Vec::new();
    for _ in 0..times(context) {
        let sources = (1..=CONNECTIONS).map(|last| IpAddr::from([127, 0, 2, last]));
        let clients = Load::new(service.address())
            .idle(usize::from(CONNECTIONS), 20..60)
            .sources(sources);
        let share = shares(&clients.run_for(Duration::from_secs(1))?, context.workers)
            .ok_or_else(|| format!("{}: no answer", contender.name()))?;
        most.push(share.most_by_mean);
        least.push(share.least_by_mean);
    }
    let worst = most.iter().copied().fold(0.0, f64::max);
    let (most, least) = (median(&most), median(&least));
    let row = Row {
        name: contender.name(),
        value: most,
        cells: vec![
            format!("{most:.2}"),
            format!("{least:.2}"),
            ratio(most, Some(least)),
            format!("{worst:.2}"),
        ],
    };
    Ok((most, least, row))
}

/// The share over all workers, those too that nobody was given to.
fn shares(report: &Report, workers: u32) -> Option<Share> {
    let mut counts: Vec<u64> = report
        .workers
        .values()
        .map(|worker| worker.connections)
        .collect();
    counts.resize(counts.len().max(workers as usize), 0);
    Share::of(&counts)
}
