//! A load client that counts every failure.
//!
//! The benchmark (`cargo run --release -p rota-bench`) and the integration tests use the same client:
//! [`load`]. A test that claims "no request is lost" is only as good as the client that looks, so every
//! outcome of a request that is not a complete answer is counted by kind and kept with its circumstances.

pub mod load;
