//! An argument would have no value, and nobody would choose a type.

#[weftline::test]
async fn takes(one: u32) {}

#[weftline::test]
async fn takes_any<T>() {}

fn main() {}
