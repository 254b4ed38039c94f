//! Settings of tests by the environment.

/// The number in this variable, or what is usual.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| {
        let number = value.parse();
        number.unwrap_or_else(|_| panic!("{name} is not a number: {value}"))
    })
}
