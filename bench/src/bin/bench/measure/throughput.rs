//! Connections and requests per second, and what they cost the manager.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rota_bench::load::Load;

use crate::contender::{Contender, Service, Site};
use crate::context::{Context, Result};
use crate::process;
use crate::table::{Aim, Row, Section, median, ratio};

/// Clients at once.
const CLIENTS: usize = 64;
/// "Not slower" and "equal" allow for this much noise.
const NOISE: f64 = 0.97;

const ONE_SHOT: [Contender; 7] = [
    Contender::ROTA[0],
    Contender::ROTA[1],
    Contender::ROTA[2],
    Contender::ROTA[3],
    Contender::BASE,
    Contender::Node("none"),
    Contender::Pm2,
];

/// What one contender did in all rounds.
struct Samples {
    contender: Contender,
    per_second: Vec<f64>,
    answered: u64,
    failed: u64,
    connections: u64,
    manager: Duration,
}

impl Samples {
    /// Processor time of the manager, in seconds, for 100 000 connections.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn per_100k(&self) -> f64 {
        self.manager.as_secs_f64() * 100_000.0 / self.connections.max(1) as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn manager_per_request_us(&self) -> f64 {
        self.manager.as_secs_f64() * 1e6 / self.answered.max(1) as f64
    }
}

/// One connection per request, and the manager's processor time in the same runs.
pub(super) fn one_shot(context: &Context) -> Result<Vec<Section>> {
    let samples = rounds(context, &ONE_SHOT, one_shot_load)?;
    Ok(vec![speed_of_one_shot(context, &samples), cost(&samples)])
}

/// Only the processor time.
pub(super) fn cpu(context: &Context) -> Result<Vec<Section>> {
    let samples = rounds(context, &ONE_SHOT, one_shot_load)?;
    Ok(vec![cost(&samples)])
}

/// Requests on kept connections.
pub(super) fn keep_alive(context: &Context) -> Result<Vec<Section>> {
    let contenders = [
        Contender::ROTA[0],
        Contender::ROTA[2],
        Contender::BASE,
        Contender::Node("none"),
        Contender::Pm2,
    ];
    let samples = rounds(context, &contenders, |address| {
        Load::new(address).keep_alive(CLIENTS)
    })?;
    let base = base(&samples, |sample| median(&sample.per_second));
    let rows = samples
        .iter()
        .map(|sample| {
            let value = median(&sample.per_second);
            let cost = format!("{:.2}", sample.manager_per_request_us());
            Row {
                name: sample.contender.name(),
                value,
                cells: vec![
                    format!("{value:.0}"),
                    ratio(value, base),
                    cost,
                    sample.failed.to_string(),
                ],
            }
        })
        .collect();
    let default = value_of(&samples, Contender::ROTA[0], |sample| {
        median(&sample.per_second)
    });
    let aims = default.zip(base).map(|(rota, node)| {
        Aim::new(
            rota >= NOISE * node,
            format!("the default mode equals Node's round robin within noise (at least {NOISE})"),
        )
    });
    Ok(vec![Section {
        title: "Requests per second on kept connections".to_owned(),
        how: how(context, "keep-alive clients"),
        columns: columns(&[
            "manager",
            "requests/s",
            "by Node",
            "manager µs/request",
            "failed",
        ]),
        rows,
        aims: aims.into_iter().collect(),
    }])
}

/// Clients come from as many addresses, for the balancer by address; each from one of its own.
fn one_shot_load(address: SocketAddr) -> Load {
    let sources =
        (1..=CLIENTS).filter_map(|last| Some(IpAddr::from([127, 0, 1, u8::try_from(last).ok()?])));
    Load::new(address).one_shot(CLIENTS).sources(sources)
}

/// Starts all contenders at once and loads them one after the other, several times.
fn rounds(
    context: &Context,
    contenders: &[Contender],
    load: impl Fn(SocketAddr) -> Load,
) -> Result<Vec<Samples>> {
    let mut services: Vec<(Service<'_>, Samples)> = Vec::new();
    for contender in Contender::chosen(context, contenders) {
        let service = Site::new(context, contender)?.start("server.js", context.workers)?;
        load(service.address())
            .run_for(context.pick(Duration::from_secs(1), Duration::from_millis(300)))?;
        let samples = Samples {
            contender,
            per_second: Vec::new(),
            answered: 0,
            failed: 0,
            connections: 0,
            manager: Duration::ZERO,
        };
        services.push((service, samples));
    }
    let time = context.pick(Duration::from_secs(3), Duration::from_secs(1));
    for _ in 0..context.pick(7, 2) {
        for (service, samples) in &mut services {
            let before = process::cpu_time(&service.managers)?;
            let report = load(service.address()).run_for(time)?;
            samples.manager += process::cpu_time(&service.managers)?.saturating_sub(before);
            samples.per_second.push(report.per_second());
            samples.answered += report.answered();
            samples.failed += report.failed();
            samples.connections += report.connections();
        }
        // Another neighbour and another place in the round for everyone.
        services.rotate_left(1);
    }
    let mut samples: Vec<Samples> = services.into_iter().map(|(_, samples)| samples).collect();
    samples.sort_by_key(|sample| {
        contenders
            .iter()
            .position(|other| *other == sample.contender)
    });
    Ok(samples)
}

fn speed_of_one_shot(context: &Context, samples: &[Samples]) -> Section {
    let speed = |sample: &Samples| median(&sample.per_second);
    let base = base(samples, speed);
    let rows = samples
        .iter()
        .map(|sample| Row {
            name: sample.contender.name(),
            value: speed(sample),
            cells: vec![
                format!("{:.0}", speed(sample)),
                ratio(speed(sample), base),
                sample.failed.to_string(),
            ],
        })
        .collect();
    Section {
        title: "Connections per second, one request each".to_owned(),
        how: how(context, "clients that connect for every request"),
        columns: columns(&["manager", "connections/s", "by Node", "failed"]),
        rows,
        aims: aims_of_one_shot(samples, base),
    }
}

fn aims_of_one_shot(samples: &[Samples], base: Option<f64>) -> Vec<Aim> {
    let rota: Vec<f64> = samples
        .iter()
        .filter(|sample| sample.contender.is_rota())
        .map(|sample| median(&sample.per_second))
        .collect();
    let best = rota.iter().copied().max_by(f64::total_cmp);
    let worst = rota.iter().copied().min_by(f64::total_cmp);
    let (Some(best), Some(worst), Some(base)) = (best, worst, base) else {
        return Vec::new();
    };
    vec![
        Aim::new(
            best >= 1.5 * base,
            "the best mode makes 1.5 times Node's round robin",
        ),
        Aim::new(
            worst >= NOISE * base,
            format!("no mode is slower than Node's round robin (at least {NOISE})"),
        ),
    ]
}

fn cost(samples: &[Samples]) -> Section {
    let base = base(samples, Samples::per_100k);
    let rows = samples
        .iter()
        .map(|sample| Row {
            name: sample.contender.name(),
            value: sample.per_100k(),
            cells: vec![
                format!("{:.2}", sample.per_100k()),
                ratio(sample.per_100k(), base),
                sample.connections.to_string(),
            ],
        })
        .collect();
    let default = value_of(samples, Contender::ROTA[0], Samples::per_100k);
    let aims = default.zip(base).map(|(rota, node)| {
        Aim::new(
            rota <= node / 3.0,
            "the default mode needs a third of Node's round robin",
        )
    });
    Section {
        title: "Processor time of the manager per 100 000 new connections".to_owned(),
        how: "User and system time of rota's keeper and supervisor, Node's primary, PM2's daemon, over all rounds \
              of the run with one connection per request."
            .to_owned(),
        columns: columns(&["manager", "seconds", "by Node", "connections"]),
        rows,
        aims: aims.into_iter().collect(),
    }
}

fn how(context: &Context, clients: &str) -> String {
    format!(
        "{} workers, {CLIENTS} {clients}; median of {} interleaved rounds of {} s.",
        context.workers,
        context.pick(7, 2),
        context.pick(3, 1),
    )
}

fn columns(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn base(samples: &[Samples], value: impl Fn(&Samples) -> f64) -> Option<f64> {
    value_of(samples, Contender::BASE, value)
}

fn value_of(
    samples: &[Samples],
    contender: Contender,
    value: impl Fn(&Samples) -> f64,
) -> Option<f64> {
    samples
        .iter()
        .find(|sample| sample.contender == contender)
        .map(value)
}
