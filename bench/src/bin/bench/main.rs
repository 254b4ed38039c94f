//! The benchmark: rota beside Node's own cluster and PM2.

fn main() {}
