//! The options that there are, for a program and for a test.

#[weftline::main(threads = 2)]
async fn main() {}

#[weftline::test(flavor = "multi")]
async fn a_test() {}
