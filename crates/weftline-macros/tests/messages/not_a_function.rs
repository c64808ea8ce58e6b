//! Something else than a function.

#[weftline::main]
struct Main {}

fn main() {}
