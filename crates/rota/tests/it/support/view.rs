//! What `rota list --json` says, as far as tests ask for it.

use serde_json::Value;

/// An app.
#[derive(Debug, Clone)]
pub struct App(pub Value);

fn port_of(address: &str) -> Option<u16> {
    address.rsplit_once(':')?.1.parse().ok()
}

/// A worker.
#[derive(Debug, Clone)]
pub struct Worker(pub Value);

impl App {
    /// Its name.
    pub fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    /// Its status.
    pub fn status(&self) -> &str {
        self.0["status"].as_str().unwrap()
    }

    /// Its workers, by slot.
    pub fn workers(&self) -> Vec<Worker> {
        let mut workers: Vec<_> = self.0["workers"]
            .as_array()
            .unwrap()
            .iter()
            .cloned()
            .map(Worker)
            .collect();
        workers.sort_by_key(Worker::slot);
        workers
    }

    /// The processes of its workers, by slot.
    pub fn pids(&self) -> Vec<u32> {
        self.workers().iter().filter_map(Worker::pid).collect()
    }

    /// The addresses that its workers listen on.
    pub fn listening(&self) -> Vec<String> {
        let addresses = self.0["listening"]
            .as_array()
            .unwrap_or_else(|| panic!("no addresses in {:#}", self.0));
        addresses
            .iter()
            .map(|address| address.as_str().unwrap().to_owned())
            .collect()
    }

    /// The first TCP port that its workers listen on.
    pub fn port(&self) -> Option<u16> {
        self.listening()
            .iter()
            .filter(|address| !address.starts_with("udp "))
            .find_map(|address| port_of(address))
    }

    /// The first UDP port that its workers are bound to.
    pub fn udp_port(&self) -> Option<u16> {
        self.listening()
            .iter()
            .find_map(|address| port_of(address.strip_prefix("udp ")?))
    }

    /// Its workers that serve, without those that are on their way out.
    pub fn online(&self) -> usize {
        self.workers()
            .iter()
            .filter(|worker| worker.status() == "online")
            .count()
    }

    /// All restarts of its workers.
    pub fn restarts(&self) -> u64 {
        self.workers()
            .iter()
            .map(|worker| worker.0["restarts"].as_u64().unwrap())
            .sum()
    }
}

impl Worker {
    /// Its process, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.0["pid"]
            .as_u64()
            .map(|pid| u32::try_from(pid).unwrap())
    }

    /// Its slot.
    pub fn slot(&self) -> u64 {
        self.0["slot"].as_u64().unwrap()
    }

    /// The id that users see.
    pub fn id(&self) -> u64 {
        self.0["id"].as_u64().unwrap()
    }

    /// Its status.
    pub fn status(&self) -> &str {
        self.0["status"].as_str().unwrap()
    }
}
