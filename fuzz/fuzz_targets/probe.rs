//! What a worker answers to an HTTP probe: it is good or not, the same however it comes, and little of it is held.
//!
//! The first byte of the input says in what pieces it comes.

#![no_main]

mod allocated;

use libfuzzer_sys::fuzz_target;
use rota_supervisor::fuzzing;

/// hyper's buffers, some times over; never the length of a body.
const MOST: usize = 512 * 1024;

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else { return };
    let (whole, peak) = allocated::peak_of(|| fuzzing::probe(bytes, bytes.len()));
    assert!(peak <= MOST, "{peak} bytes for an answer");
    assert_eq!(fuzzing::probe(bytes, usize::from(cut) + 1), whole);
});
