//! What `rota run` has of its own, as process 1 of a container above all: an end within a time, an exit code, and addresses
//! by which others see that it lives and is ready.

mod boot;
mod exit;
mod grace;
mod health;

pub(crate) use boot::Boot;
pub(crate) use grace::drain_within;
