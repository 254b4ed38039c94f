//! What a shadow finds in the memory that its dead supervisor has written, and what it sends to the next one: an entry
//! that makes no sense is none, one that does is sent and entered as the same.
//!
//! The first byte of the input says what the rest is.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/shadow/ledger.rs"]
mod ledger;
#[allow(dead_code)]
#[path = "../../crates/rota-supervisor/src/shadow/packet.rs"]
mod packet;

use ledger::{Entry, Ledger};

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else { return };
    if kind & 1 == 0 {
        if let Some(packet::Packet::Connections(entries)) = packet::decode(bytes) {
            sent(&entries);
        }
    } else {
        found(bytes, kind == u8::MAX);
    }
});

fn sent(entries: &[Entry]) {
    assert!(entries.len() <= packet::BATCH);
    let packet = packet::encode(entries);
    assert!(packet.len() <= packet::LONGEST);
    assert_eq!(packet::decode(&packet), Some(packet::Packet::Connections(entries.to_vec())));
}

/// Each eight bytes are a word of the ledger. Its second word says up to where there are entries: all 65 536 of them are
/// looked through only now and then.
fn found(bytes: &[u8], all: bool) {
    static LEDGER: OnceLock<Ledger> = OnceLock::new();
    let ledger = LEDGER.get_or_init(|| Ledger::new().expect("memory"));
    let words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
    let words = words.enumerate().map(|(at, word)| if at == 1 && !all { word % 128 } else { word });
    ledger.overwrite(words.clone());
    let found: Vec<(i32, Entry)> = ledger.entries().collect();
    let _ = (ledger.accepting(), ledger.has_said_farewell());
    for batch in found.chunks(packet::BATCH) {
        sent(&batch.iter().map(|(_, entry)| *entry).collect::<Vec<_>>());
    }
    for (fd, entry) in &found {
        assert!(usize::try_from(*fd).is_ok_and(|fd| fd < ledger::CAPACITY));
        ledger.clear(*fd);
        assert_eq!(ledger.get(*fd), None);
        ledger.restore(*fd, *entry);
        assert_eq!(ledger.get(*fd), Some(*entry));
        ledger.clear(*fd);
    }
    // For the next input; `restore` has raised the count in the head.
    ledger.overwrite(words.map(|_| 0));
    ledger.overwrite([0; 8].into_iter());
}
