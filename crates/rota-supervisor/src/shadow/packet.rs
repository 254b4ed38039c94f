//! What goes through the line: `version u8 | kind u8 | count u16 | count entries`, all numbers little-endian.
//!
//! An entry is `state u8 | app u32 | socket u64 | worker u64 | seq u64`, and comes with one descriptor of the packet's,
//! in the same order. The last packet has the other kind, and nothing in it.

use super::ledger::Entry;

const VERSION: u8 = 1;
const CONNECTIONS: u8 = 1;
const END: u8 = 2;
const HEAD: usize = 4;
const ENTRY: usize = 29;

/// The most connections of a packet. The kernel would take 253.
pub(super) const BATCH: usize = 100;
/// No packet is longer, in bytes.
pub(super) const LONGEST: usize = HEAD + BATCH * ENTRY;

/// A packet, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet {
    Connections(Vec<Entry>),
    End,
}

/// The packet with these connections, at most [`BATCH`].
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let entries = &entries[..entries.len().min(BATCH)];
    let mut packet = Vec::with_capacity(LONGEST);
    packet.extend([VERSION, CONNECTIONS]);
    packet.extend((entries.len() as u16).to_le_bytes());
    for entry in entries {
        let state = match entry {
            Entry::Held { .. } => 1,
            Entry::Sending { .. } => 2,
            Entry::Sent { .. } => 3,
        };
        let (app, socket, message) = entry.parts();
        let (worker, seq) = message.unwrap_or_default();
        packet.push(state);
        packet.extend(app.to_le_bytes());
        for word in [socket, worker, seq] {
            packet.extend(word.to_le_bytes());
        }
    }
    packet
}

/// The last packet.
pub(super) const fn end() -> [u8; HEAD] {
    [VERSION, END, 0, 0]
}

/// Understands a packet; `None` if it is of another version, or makes no sense.
pub(super) fn decode(packet: &[u8]) -> Option<Packet> {
    let (&[version, kind, low, high], rest) = packet.split_first_chunk::<HEAD>()?;
    let count = usize::from(u16::from_le_bytes([low, high]));
    if version != VERSION || rest.len() != count * ENTRY {
        return None;
    }
    match kind {
        CONNECTIONS if count <= BATCH => {
            let entries = rest.chunks_exact(ENTRY).map(entry);
            Some(Packet::Connections(entries.collect::<Option<_>>()?))
        }
        END if count == 0 => Some(Packet::End),
        _ => None,
    }
}

fn entry(bytes: &[u8]) -> Option<Entry> {
    let (state, rest) = bytes.split_first()?;
    let (app, rest) = rest.split_first_chunk()?;
    let (socket, rest) = rest.split_first_chunk()?;
    let (worker, seq) = rest.split_first_chunk()?;
    let app = u32::from_le_bytes(*app);
    let socket = u64::from_le_bytes(*socket);
    let worker = u64::from_le_bytes(*worker);
    let seq = u64::from_le_bytes(seq.try_into().ok()?);
    match state {
        1 => Some(Entry::Held { app, socket }),
        2 => Some(Entry::Sending {
            app,
            socket,
            worker,
            seq,
        }),
        3 => Some(Entry::Sent {
            app,
            socket,
            worker,
            seq,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::random::Random;
    use super::*;

    #[test]
    fn packets_are_understood_as_they_were_meant() {
        let mut random = Random::new(1);
        for _ in 0..500 {
            let count = random.below(BATCH as u64 + 1);
            let entries: Vec<_> = (0..count).map(|_| random.entry()).collect();
            let packet = encode(&entries);
            assert!(packet.len() <= LONGEST);
            assert_eq!(decode(&packet), Some(Packet::Connections(entries)));
        }
        assert_eq!(decode(&end()), Some(Packet::End));
    }

    #[test]
    fn whatever_comes_is_understood_or_refused() {
        let mut random = Random::new(2);
        let sample: Vec<_> = (0..3).map(|_| random.entry()).collect();
        let good = encode(&sample);
        for cut in 0..good.len() {
            assert_eq!(decode(&good[..cut]), None, "cut at {cut}");
        }
        for _ in 0..20_000 {
            let mut packet = if random.below(2) == 0 {
                good.clone()
            } else {
                vec![0; random.below(200) as usize]
            };
            for _ in 0..=random.below(8) {
                let at = random.below(packet.len().max(1) as u64) as usize;
                if let Some(byte) = packet.get_mut(at) {
                    *byte = random.below(256) as u8;
                }
            }
            if let Some(Packet::Connections(entries)) = decode(&packet) {
                let again: Option<Packet> = decode(&encode(&entries));
                assert_eq!(again, Some(Packet::Connections(entries)));
            }
        }
        let other_version = [VERSION + 1, END, 0, 0];
        assert_eq!(decode(&other_version), None);
        // More than a packet may have, though all of them are there.
        let mut many = vec![VERSION, CONNECTIONS];
        many.extend(101_u16.to_le_bytes());
        many.extend(vec![1; 101 * ENTRY]);
        assert_eq!(decode(&many), None);
    }
}
