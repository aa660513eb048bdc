//! Shows Causeway at work.
fn main() {}
