//! The attribute makes the function a test already.

#[weftline::test]
#[test]
async fn a_test() {}

fn main() {}
