//! Load on a port of the loopback.

use std::net::SocketAddr;

use rota_bench::load::Load;

/// A load on 127.0.0.1, without clients yet. Workers are told by the header `x-worker`, as the bench's are.
pub fn load_on(port: u16) -> Load {
    Load::new(SocketAddr::from(([127, 0, 0, 1], port)))
}
