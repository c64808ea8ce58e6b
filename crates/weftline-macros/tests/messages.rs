//! What the compiler says about misuse, and at which token: each file of `messages/` is compiled as
//! a program of its own, and its errors are compared with the text beside it. After a change,
//! `TRYBUILD=overwrite cargo test -p weftline-macros --test messages` writes the texts anew.

#[test]
fn each_misuse_is_named_where_it_is() {
    trybuild::TestCases::new().compile_fail("tests/messages/*.rs");
}
