//! Liên Thông
fn main() {}
