//! The benchmark's load client, under the name by which the integration tests know it.

pub use rota_load as load;
