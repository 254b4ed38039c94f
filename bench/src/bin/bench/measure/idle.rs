//! What the manager does when nothing happens.

use std::time::Duration;

use crate::contender::{Contender, Site};
use crate::context::{Context, Result};
use crate::process::Activity;
use crate::table::{Aim, Row, Section};

/// Looks at the managers for some seconds without any load.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    let contenders = [Contender::ROTA[0], Contender::BASE, Contender::Pm2];
    let mut services = Vec::new();
    for contender in Contender::chosen(context, &contenders) {
        services.push(Site::new(context, contender)?.start("server.js", context.workers)?);
    }
    // What follows a start (observation, back-off timers) is over then.
    std::thread::sleep(context.pick(Duration::from_secs(35), Duration::from_secs(5)));
    let time = context.pick(Duration::from_secs(20), Duration::from_secs(5));
    let mut before = Vec::new();
    for service in &services {
        before.push(Activity::of(&service.managers)?);
    }
    std::thread::sleep(time);
    let mut rows = Vec::new();
    let mut aims = Vec::new();
    for (service, before) in services.iter().zip(before) {
        let contender = service.site.contender;
        let activity = Activity::of(&service.managers)?.since(before);
        if contender.is_rota() {
            aims.push(Aim::new(
                activity.runs == 0,
                "rota's processes do not run between events",
            ));
        }
        let cpu = activity.cpu.as_secs_f64() * 1000.0;
        rows.push(Row {
            name: contender.name(),
            value: cpu,
            cells: vec![format!("{cpu:.2}"), activity.runs.to_string()],
        });
    }
    Ok(vec![Section {
        title: format!("Processor use in {} idle seconds", time.as_secs()),
        how: format!(
            "{} workers, no requests; what all threads of the manager did.",
            context.workers
        ),
        columns: ["manager", "ms of processor", "times run"]
            .map(str::to_owned)
            .to_vec(),
        rows,
        aims,
    }])
}
