//! Memory of the manager's processes.

use std::time::Duration;

use rota_bench::load::Load;

use crate::contender::{Contender, Site};
use crate::context::{Context, Result};
use crate::process::Memory;
use crate::table::{Aim, Row, Section, ratio};

/// Numbers of workers to look at.
const WORKERS: [u32; 2] = [2, 50];
/// What rota's processes may use together.
const AIM_MIB: f64 = 8.0;
const MIB: f64 = 1024.0;

/// Looks at the manager after a moment of load, with few and with many workers.
pub(super) fn measure(context: &Context) -> Result<Vec<Section>> {
    let contenders = [Contender::ROTA[0], Contender::BASE, Contender::Pm2];
    let mut sections = Vec::new();
    for workers in WORKERS {
        let mut found = Vec::new();
        for contender in Contender::chosen(context, &contenders) {
            let service = Site::new(context, contender)?.start("server.js", workers)?;
            Load::new(service.address())
                .one_shot(16)
                .keep_alive(16)
                .run_for(Duration::from_secs(1))?;
            found.push((contender, Memory::of(&service.managers)?));
        }
        sections.push(section(workers, &found));
    }
    Ok(sections)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "KiB of a process are far below 2^52"
)]
fn section(workers: u32, found: &[(Contender, Memory)]) -> Section {
    let base = found
        .iter()
        .find(|(contender, _)| *contender == Contender::BASE)
        .map(|(_, memory)| memory.rss as f64 / MIB);
    let mut aims = Vec::new();
    let mut rows = Vec::new();
    for (contender, memory) in found {
        let (rss, pss) = (memory.rss as f64 / MIB, memory.pss as f64 / MIB);
        if contender.is_rota() {
            let text = format!("rota's processes have at most {AIM_MIB} MiB resident together");
            aims.push(Aim::new(rss <= AIM_MIB, text));
        }
        rows.push(Row {
            name: contender.name(),
            value: rss,
            cells: vec![format!("{rss:.1}"), format!("{pss:.1}"), ratio(rss, base)],
        });
    }
    Section {
        title: format!("Memory of the manager with {workers} workers"),
        how: "MiB of rota's keeper and supervisor, Node's primary, PM2's daemon, after a second of load.".to_owned(),
        columns: ["manager", "resident", "proportional", "by Node"].map(str::to_owned).to_vec(),
        rows,
        aims,
    }
}
