//! The flags that limit a worker together with everything that it starts.

use clap::Args;
use rota_config::{CpuMax, ResourceSpec, Size};

const RESOURCES: &str = "Limits of each worker with all that it starts (control groups)";

/// Flags for the control group of each worker.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct ResourceFlags {
    /// The most memory: 300M, 1.5G; above it the kernel kills (--max-memory replaces before)
    #[arg(long, value_name = "SIZE", help_heading = RESOURCES)]
    pub memory_max: Option<Size>,

    /// From here on the kernel takes memory back and slows the worker down
    #[arg(long, value_name = "SIZE", help_heading = RESOURCES)]
    pub memory_high: Option<Size>,

    /// The most processor time: 150% or 1.5 is one processor and a half
    #[arg(long, value_name = "CPUS", help_heading = RESOURCES)]
    pub cpu_max: Option<CpuMax>,

    /// Its share when processors are short, 1 to 10000; 100 is usual
    #[arg(long, value_name = "N", help_heading = RESOURCES)]
    pub cpu_weight: Option<u32>,

    /// The most processes and threads; Node needs about 20 for itself
    #[arg(long, value_name = "N", help_heading = RESOURCES)]
    pub pids_max: Option<u64>,
}

impl ResourceFlags {
    /// As a part of the specification.
    pub fn to_spec(&self) -> ResourceSpec {
        ResourceSpec {
            memory_max: self.memory_max,
            memory_high: self.memory_high,
            cpu_max: self.cpu_max,
            cpu_weight: self.cpu_weight,
            pids_max: self.pids_max,
        }
    }
}
