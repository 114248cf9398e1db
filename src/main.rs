//! The `statuspage` binary.
fn main() {}
