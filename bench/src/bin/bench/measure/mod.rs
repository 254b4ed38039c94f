//! The measures, one file each.

mod agent;
mod death;
mod idle;
mod list;
mod logs;
mod memory;
mod reload;
mod share;
mod start;
mod throughput;

use crate::context::{Context, Measure, Result};
use crate::table::Section;

/// Runs one measure.
pub(crate) fn run(measure: Measure, context: &Context) -> Result<Vec<Section>> {
    match measure {
        Measure::All => Ok(Vec::new()),
        Measure::OneShot => throughput::one_shot(context),
        Measure::KeepAlive => throughput::keep_alive(context),
        Measure::Share => share::measure(context),
        Measure::Cpu => throughput::cpu(context),
        Measure::Start => start::measure(context),
        Measure::Memory => memory::measure(context),
        Measure::List => list::measure(context),
        Measure::Idle => idle::measure(context),
        Measure::ReloadLoss => reload::measure(context),
        Measure::AgentOverhead => agent::measure(context),
        Measure::ManagerDeath => death::measure(context),
        Measure::LogThroughput => logs::measure(context),
    }
}
