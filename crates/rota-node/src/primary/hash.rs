//! Hashes of addresses.

use std::net::{IpAddr, SocketAddr};

use super::types::Slot;

/// A number for a client's address and port, different for each `seed`.
pub(super) fn peer(seed: u64, address: SocketAddr) -> u64 {
    mix(ip(seed, address.ip().to_canonical()) ^ u64::from(address.port()))
}

/// How much a client likes a slot; it goes to the one that it likes best (rendezvous hashing), so
/// that a slot that comes or goes moves only the clients of that slot. The same in every process
/// and at all times: a client stays with its slot over restarts of the primary.
pub(super) fn preference(client: IpAddr, slot: Slot) -> u64 {
    mix(ip(0, client.to_canonical()) ^ mix(u64::from(slot) + 1))
}

fn ip(seed: u64, address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(v4) => mix(seed ^ u64::from(v4.to_bits())),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            // The halves of the address.
            mix(mix(seed ^ (bits >> 64) as u64) ^ (bits as u64))
        }
    }
}

/// The finaliser of SplitMix64: every bit of the input moves half of the output.
pub(super) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
