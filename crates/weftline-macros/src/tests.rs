//! What is read from the attribute and the function, and what is said about each misuse.

use crate::parse::{Function, Kind, Misuse, Options, Token, function, options};

/// The tokens of a text whose tokens stand apart; a token's place is its position.
fn tokens(text: &str) -> Vec<Token<usize>> {
    let kind = |word: &str| match word {
        "()" => Kind::EmptyParentheses,
        _ if word.starts_with('(') => Kind::Parentheses,
        _ if word.starts_with('{') => Kind::Braces,
        _ if word.starts_with('[') => Kind::Brackets,
        _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '"') => Kind::Literal,
        _ if word.starts_with(char::is_alphabetic) => Kind::Word,
        _ => Kind::Punct,
    };
    let words = text.split_whitespace().enumerate();
    words.map(|(span, word)| Token { span, text: word.into(), kind: kind(word) }).collect()
}

/// The place and the text of a misuse.
fn misuse<T: std::fmt::Debug>(result: Result<T, Misuse<usize>>) -> (usize, String) {
    let misuse = result.expect_err("a misuse");
    (misuse.span, misuse.text)
}

#[test]
fn options_are_read_in_any_order() {
    let read = |text: &str| options(&tokens(text), true).expect(text);
    assert_eq!(read(""), Options::default());
    assert_eq!(read("workers = 4"), Options { workers: Some(4), ..Options::default() });
    let both =
        Options { workers: Some(1_000), path: Some("::my::rt".into()), ..Options::default() };
    assert_eq!(read("crate = \"::my::rt\" , workers = 1_000usize ,"), both);
}

#[test]
fn an_unknown_option_is_named() {
    let text = "workers = 1 , threads = 2";
    let said = "unknown option `threads`: there are `workers`, `virtual_time`, `deterministic`, \
                `seed`, `seeds` and `crate`";
    assert_eq!(misuse(options(&tokens(text), true)), (4, said.into()));
    let said = said.replace(", `seeds`", "");
    assert_eq!(misuse(options(&tokens(text), false)), (4, said));
}

#[test]
fn a_bad_number_of_workers_is_named() {
    for (text, place, found) in [
        ("workers = 0", 2, "0"),
        ("workers = 2.5", 2, "2.5"),
        ("workers = \"2\"", 2, "\"2\""),
        ("workers = 99999999999999999999999", 2, "99999999999999999999999"),
        ("workers = - 1", 2, "-1"),
        ("workers = n", 2, "n"),
        ("workers = 1 2", 2, "12"),
    ] {
        let said = format!("`workers = {found}`: expected a whole number of at least 1");
        assert_eq!(misuse(options(&tokens(text), true)), (place, said), "{text}");
    }
}

#[test]
fn a_seed_makes_a_function_deterministic() {
    let read = |text: &str| options(&tokens(text), true).expect(text);
    let plain = read("deterministic");
    assert_eq!(plain, Options { deterministic: true, ..Options::default() });
    assert_eq!(read("seed = 7"), Options { seed: Some(7), ..plain });
    let plain = read("deterministic");
    assert_eq!(read("seed = 0xFF_u64"), Options { seed: Some(255), ..plain });
    let plain = read("deterministic");
    assert_eq!(read("seeds = 100"), Options { seeds: Some(100), ..plain });
    assert_eq!(read("virtual_time"), Options { virtual_time: true, ..Options::default() });
}

#[test]
fn a_flag_with_a_value_and_a_bad_seed_are_named() {
    for (text, place, said) in [
        ("virtual_time = true", 1, "`virtual_time` takes no value: write `virtual_time`"),
        ("deterministic 7", 1, "`deterministic` takes no value: write `deterministic`"),
        ("seed", 0, "`seed` needs a value: a whole number of at most 64 bits"),
        ("seed = \"7\"", 2, "`seed = \"7\"`: expected a whole number of at most 64 bits"),
        ("seeds = 0", 2, "`seeds = 0`: expected a whole number of at least 1"),
        ("deterministic , deterministic", 2, "`deterministic` is given twice"),
    ] {
        assert_eq!(misuse(options(&tokens(text), true)), (place, said.into()), "{text}");
    }
    let said = "`seeds` is for tests: a program runs once";
    assert_eq!(misuse(options(&tokens("seeds = 2"), false)), (0, said.into()));
}

#[test]
fn a_bad_path_is_named() {
    for found in ["4", "\"\"", "\"a-b\"", "\"a::\"", "\"4a\""] {
        let said =
            format!("`crate = {found}`: expected a path in quotes, such as \"my::weftline\"");
        assert_eq!(misuse(options(&tokens(&format!("crate = {found}")), true)), (2, said));
    }
}

#[test]
fn a_missing_value_and_a_second_one_are_named() {
    for text in ["workers", "workers =", "workers 4"] {
        let said = "`workers` needs a value: a whole number of at least 1";
        assert_eq!(misuse(options(&tokens(text), true)), (0, said.into()), "{text}");
    }
    let (place, said) = misuse(options(&tokens("workers = 1 , workers = 1"), true));
    assert_eq!((place, said.as_str()), (4, "`workers` is given twice"));
}

#[test]
fn the_parts_of_a_function_are_found_behind_attributes_and_visibility() {
    for (text, start) in [
        ("async fn main () {}", 0),
        ("# [doc] # [allow(x)] async fn main () {}", 4),
        ("pub async fn main () {}", 1),
        ("# [doc] pub (crate) async fn main () {}", 4),
    ] {
        let body = start + 4;
        let parts = Function { start, name: start + 2, body };
        assert_eq!(function(&tokens(text), true), Ok(parts), "{text}");
    }
    let text = "async fn main () -> Result < () , E > where E : Debug {..}";
    assert_eq!(function(&tokens(text), false), Ok(Function { start: 0, name: 2, body: 15 }));
}

#[test]
fn a_function_that_is_not_async_is_named_and_kept() {
    let said = function(&tokens("pub fn main () {}"), false).expect_err("not async");
    assert_eq!((said.span, said.keeps_item), (1, true));
    assert_eq!(said.text, "`main` is not async: write `async fn main`");
}

#[test]
fn arguments_and_generic_parameters_are_named() {
    let said = "`main` takes no arguments, found `(x:u8)`";
    assert_eq!(misuse(function(&tokens("async fn main (x:u8) {}"), false)), (3, said.into()));
    let said = "`main` takes no generic parameters";
    assert_eq!(misuse(function(&tokens("async fn main < T > () {}"), false)), (3, said.into()));
}

#[test]
fn other_items_and_other_functions_are_named() {
    for (text, place, found) in [
        ("struct Main {}", 0, "struct"),
        ("pub enum Main {}", 1, "enum"),
        ("async fn main () ;", 0, "async"),
        ("# [doc] static A : u8 = 1 ;", 2, "static"),
    ] {
        let said = format!("expected an `async fn` with a body, found `{found}`");
        assert_eq!(misuse(function(&tokens(text), false)), (place, said), "{text}");
    }
    for (text, place, found) in
        [("async unsafe fn main () {}", 1, "unsafe"), ("const async fn main () {}", 0, "const")]
    {
        let said = format!("the function can only be `async`, found `{found}`");
        assert_eq!(misuse(function(&tokens(text), false)), (place, said), "{text}");
    }
}

#[test]
fn a_second_test_attribute_is_named() {
    let text = "# [test] async fn works () {}";
    let said = "`#[test]` is already part of this macro";
    assert_eq!(misuse(function(&tokens(text), true)), (1, said.into()));
    assert!(function(&tokens(text), false).is_ok());
}
