//! The scanner tells code, comments, strings and tests apart.

use crate::source::{Source, identifiers};
use crate::tree::{Page, Tree};

fn code_of(text: &str) -> Vec<String> {
    let lines = Source::new("a.rs", text).lines;
    lines.iter().map(|line| line.code.trim_end().to_string()).collect()
}

#[test]
fn comments_and_strings_are_not_code() {
    assert_eq!(code_of("let a = 1; // loom"), ["let a = 1;"]);
    assert_eq!(code_of("a(/* x /* y */ z */ b)"), ["a(                  b)"]);
    assert_eq!(code_of(r#"f("a \" b // c", 'd')"#), [r#"f("           ", ' ')"#]);
}

#[test]
fn a_raw_string_ends_at_its_own_hashes() {
    let code = &code_of("f(r#\"a \" b\"#, c)")[0];
    assert!(code.ends_with("#, c)"), "{code}");
    assert!(!code.contains('a') && !code.contains('b'), "{code}");
}

#[test]
fn a_lifetime_is_no_character() {
    assert_eq!(code_of("fn f<'a>(x: &'a str) {}"), ["fn f<'a>(x: &'a str) {}"]);
    assert_eq!(code_of(r"let q = '\''; let b = b'{';"), ["let q = '  '; let b = b' ';"]);
}

#[test]
fn a_string_over_several_lines_keeps_the_line_numbers() {
    assert_eq!(code_of("a(\"x\ny {\");\nb"), ["a(\"", "   \");", "b"]);
}

#[test]
fn the_comment_of_a_line_is_kept_apart() {
    let source = Source::new("a.rs", "a; // why\n");
    assert_eq!(source.lines.len(), 1);
    assert_eq!(source.lines[0].comment, "// why");
}

#[test]
fn an_item_below_a_test_attribute_is_test_code() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
    let lines = Source::new("a.rs", text).lines;
    let tests: Vec<_> = lines.iter().map(|line| line.is_test).collect();
    assert_eq!(tests, [false, true, true, true, true, false]);
}

#[test]
fn a_module_file_declared_for_tests_is_test_code() {
    let tree = Tree::new(vec![
        Page::new("x/src/lib.rs", "#[cfg(all(test, unix))]\nmod probe;\nmod real;\n"),
        Page::new("x/src/probe.rs", "fn a() {}"),
        Page::new("x/src/probe/inner.rs", "fn a() {}"),
        Page::new("x/src/real.rs", "fn a() {}"),
    ]);
    let is_test = |path: &str| {
        let file = tree.sources.iter().find(|source| source.path == path);
        file.expect(path).lines[0].is_test
    };
    assert!(is_test("x/src/probe.rs") && is_test("x/src/probe/inner.rs"));
    assert!(!is_test("x/src/real.rs"));
}

#[test]
fn numbers_and_lifetimes_are_no_identifiers() {
    let words: Vec<_> = identifiers("a_1 + 2u8 + f::<'x>(y)").map(|(_, word)| word).collect();
    assert_eq!(words, ["a_1", "f", "y"]);
}
