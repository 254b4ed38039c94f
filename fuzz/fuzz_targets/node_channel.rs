//! A worker's channel: whatever it sends, in whatever pieces, nothing panics, no line is held beyond
//! its limit, and a good worker gets every connection that the bad one has not taken.
//!
//! The first byte of the input says how the rest is cut; the byte 0x00 stands for a descriptor that
//! comes with the next piece.

#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::fuzz_target;
use rota_node::agent::FromAgent;
use rota_node::channel::Decoder;
use rota_node::primary::{
    Bind, Delivery, Errno, ListenerId, Notice, Role, SockName, SocketId, Stranger, Tuning, WorkerId,
};
use rota_node::{Balance, Host, Primary};

const MAX_LINE: usize = 4096;
const GOOD: WorkerId = 1;
const BAD: WorkerId = 2;

#[derive(Default)]
struct Nowhere {
    dealt_to_good: usize,
}

impl Host for Nowhere {
    type Connection = u32;

    fn open(&mut self, _: SocketId, _: &str, bind: &Bind) -> Result<SockName, Errno> {
        match bind {
            Bind::Unix { path, .. } => Ok(SockName::Path(path.clone())),
            Bind::Inherited { .. } => Err(-9),
            _ => Ok(SockName::Ip(SocketAddr::from(([127, 0, 0, 1], 4000)))),
        }
    }
    fn close(&mut self, _: SocketId) {}
    fn send(&mut self, _: WorkerId, line: &[u8]) {
        assert_eq!(line.last(), Some(&b'\n'));
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
    fn send_socket(&mut self, worker: WorkerId, line: &[u8], _: SocketId) {
        self.send(worker, line);
    }
    fn examine(&mut self, _: &u32, _: &SockName) -> Result<Option<SocketAddr>, Stranger> {
        Ok(Some(SocketAddr::from(([10, 0, 0, 1], 1))))
    }
    fn deal(&mut self, worker: WorkerId, _: u64, _: &[u8], _: &u32) -> Delivery {
        self.dealt_to_good += usize::from(worker == GOOD);
        Delivery::Sent
    }
    fn notice(&mut self, worker: WorkerId, notice: Notice<'_>) {
        let hello = matches!(notice, Notice::Agent(FromAgent::Hello(_)));
        assert!(worker == BAD || hello, "only the bad one says anything");
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else {
        return;
    };
    let mut host = Nowhere::default();
    let mut primary = Primary::new(1, Tuning::default());
    let query = br#"{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"data":null,"address":null,"port":0,"addressType":4,"seq":1}"#;
    let hello = br#"{"cmd":"NODE_ROTA","act":"hello","v":1,"node":"v20.0.0","pid":1}"#;
    for worker in [GOOD, BAD] {
        primary.add_worker(worker, 0, Role::Cluster(Balance::RoundRobin));
        let mut decoder = Decoder::new(MAX_LINE);
        for line in [&query[..], &hello[..]] {
            decoder.feed(line, |_| {});
            decoder.feed(b"\n", |frame| primary.receive(worker, frame, 0, &mut host));
        }
    }
    let first = SocketId {
        listener: ListenerId(0),
        slot: None,
    };
    let mut decoder = Decoder::new(MAX_LINE);
    for (now, piece) in bytes.chunks(usize::from(cut) + 1).enumerate() {
        if piece.first() == Some(&0) {
            let _ = decoder.attach(8);
        }
        let now = now as u64 * 10;
        decoder.feed(piece, |frame| primary.receive(BAD, frame, now, &mut host));
        assert!(decoder.buffered() <= MAX_LINE);
        if primary.room(first, now) > 0 {
            primary.accepted(first, 7, None, now, &mut host);
        }
        primary.tick(now, &mut host);
    }
    // The bad one is gone, and all that it had not taken is the good one's.
    primary.remove_worker(BAD, u64::MAX / 2, &mut host);
    let good = primary.workers().next().expect("the good worker");
    assert_eq!(good.worker, GOOD);
    assert_eq!(good.pending, host.dealt_to_good);
});
