//! What is said of workers that have outlived their daemon.

use std::collections::BTreeMap;

use rota_api::SurvivorView;

use super::clean;

/// One line for each app: where they are, and what becomes of them.
pub fn survivors(all: &[SurvivorView]) -> Vec<String> {
    by_app(all)
        .into_iter()
        .map(|(app, workers)| {
            let fate = match workers.iter().all(|worker| worker.leaving) {
                true => "asked to finish and leave",
                false => "until new ones are ready",
            };
            format!("{}, {fate}", orphan_line(app, &workers))
        })
        .collect()
}

/// The same for somebody who finds no daemon.
pub fn orphans(all: &[SurvivorView]) -> Vec<String> {
    by_app(all)
        .into_iter()
        .map(|(app, workers)| orphan_line(app, &workers))
        .collect()
}

fn orphan_line(app: &str, workers: &[&SurvivorView]) -> String {
    let (workers_live, pids) = (count(workers.len()), pids(workers));
    format!("{}: {workers_live} without a daemon ({pids})", clean(app))
}

fn by_app(all: &[SurvivorView]) -> BTreeMap<&str, Vec<&SurvivorView>> {
    let mut apps: BTreeMap<&str, Vec<&SurvivorView>> = BTreeMap::new();
    for worker in all {
        apps.entry(&worker.app).or_default().push(worker);
    }
    apps
}

fn count(number: usize) -> String {
    match number {
        1 => "1 worker lives on".to_owned(),
        number => format!("{number} workers live on"),
    }
}

fn pids(workers: &[&SurvivorView]) -> String {
    let pids: Vec<String> = workers.iter().map(|one| one.pid.to_string()).collect();
    format!("pid {}", pids.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(app: &str, pid: u32, leaving: bool) -> SurvivorView {
        SurvivorView {
            app: app.to_owned(),
            slot: 0,
            pid,
            leaving,
        }
    }

    #[test]
    fn each_app_has_its_line() {
        let all = [
            worker("web", 7, true),
            worker("api", 5, false),
            worker("api", 6, true),
        ];
        assert_eq!(
            survivors(&all),
            [
                "api: 2 workers live on without a daemon (pid 5, 6), until new ones are ready",
                "web: 1 worker lives on without a daemon (pid 7), asked to finish and leave",
            ]
        );
        assert_eq!(
            orphans(&all)[1],
            "web: 1 worker lives on without a daemon (pid 7)"
        );
    }
}
