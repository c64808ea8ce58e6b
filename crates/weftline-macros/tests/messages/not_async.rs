//! The function stays, so that there is one error and not two.

#[weftline::main]
fn main() {}
