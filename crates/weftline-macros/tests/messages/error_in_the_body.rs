//! An error in the body is reported where it is, as without the attribute.

#[weftline::main]
async fn main() {
    let number: u32 = misspelt;
    drop(number);
}
