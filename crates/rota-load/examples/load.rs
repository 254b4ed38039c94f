//! Puts a load on a server on this machine and prints what the clients saw.
//!
//! usage: load ADDRESS SECONDS KEEP_ALIVE ONE_SHOT IDLE [PATH]

use std::io::Write;
use std::time::Duration;

use rota_load::Load;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, seconds, keep_alive, one_shot, idle, path @ ..] = arguments.as_slice() else {
        return Err("usage: load ADDRESS SECONDS KEEP_ALIVE ONE_SHOT IDLE [PATH]".into());
    };
    let address: std::net::SocketAddr = address.parse()?;
    let report = Load::new(address)
        .path(path.first().map_or("/", String::as_str))
        .keep_alive(keep_alive.parse()?)
        .one_shot(one_shot.parse()?)
        .idle(idle.parse()?, 50..500)
        .run_for(Duration::from_secs(seconds.parse()?))?;
    let mut out = std::io::stdout().lock();
    write!(out, "{report}")?;
    for (worker, count) in &report.workers {
        writeln!(
            out,
            "  worker {worker}: {} connections, {} requests",
            count.connections, count.requests
        )?;
    }
    Ok(())
}
