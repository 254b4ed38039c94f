//! What the kernel tells of a worker's process.

use std::time::{Duration, Instant};

use rota_api::{ProcessView, WorkerView};
use rota_sys::procfs;

use crate::worker::Worker;

/// Fills in what `/proc` tells; nothing when the process has just gone.
pub(crate) fn look_at(worker: &mut Worker, now: Instant, row: &mut WorkerView) {
    let Some(pid) = worker.pid else { return };
    let Ok(stat) = procfs::stat(pid) else { return };
    row.memory = Some(stat.resident);
    row.cpu = Some(worker.cpu.update(now, stat.user + stat.system));
    let files = procfs::fd_count(pid).ok();
    row.process = Some(ProcessView {
        cpu_user_seconds: seconds(stat.user),
        cpu_system_seconds: seconds(stat.system),
        threads: stat.threads,
        open_files: files.and_then(|count| u64::try_from(count).ok()),
        open_files_limit: procfs::fd_limit(pid).ok().flatten(),
    });
}

/// The kernel counts in hundredths.
fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 100.0).round() / 100.0
}
