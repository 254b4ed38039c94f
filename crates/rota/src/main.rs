//! A process manager for Node.js servers, and for any other program.
fn main() {}
