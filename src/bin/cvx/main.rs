//! The `cvx` program.

fn main() {}
