//! Starts causeway and turns its end into an exit status systemd can act on.
fn main() {}
