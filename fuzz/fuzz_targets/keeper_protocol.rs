//! Packets between keeper and supervisor: whatever comes in, nothing panics, nothing is allocated out of
//! proportion, and what decodes encodes to something that decodes to the same, of whatever mode it is.

#![no_main]

use std::fmt::Debug;
use std::os::fd::OwnedFd;

use libfuzzer_sys::fuzz_target;
use minicbor::{Decode, Encode};
use rota_keeper::protocol::{FromKeeper, Mode, ToKeeper, decode, encode_as, open_body};

fuzz_target!(|packet: &[u8]| {
    // With and without a descriptor that is not the memfd that a packet may announce.
    let null: OwnedFd = std::fs::File::open("/dev/null").expect("the null device").into();
    let _ = open_body(packet, &mut vec![null]);
    let mode = Mode::of(packet);
    if let Ok(body) = open_body(packet, &mut Vec::new()) {
        round_trip::<ToKeeper>(mode, &body);
        round_trip::<FromKeeper>(mode, &body);
    }
});

fn round_trip<M>(mode: Mode, body: &[u8])
where
    M: for<'b> Decode<'b, ()> + Encode<()> + PartialEq + Debug,
{
    let Ok(message) = decode::<M>(body) else { return };
    let packet = encode_as(mode, &message, 0).expect("what was received can be sent");
    assert_eq!(Mode::of(packet.bytes()), mode);
    let mut fds: Vec<OwnedFd> = packet.body().map(|fd| fd.try_clone_to_owned().expect("a copy")).into_iter().collect();
    let again = open_body(packet.bytes(), &mut fds).expect("a packet of our own");
    assert_eq!(decode::<M>(&again).expect("a message of our own"), message);
}
