//! Reads the options of the attribute and the head of the function below it.
//!
//! Works on [`Token`]s with any kind of place `S`, since the compiler's own exist only while it
//! runs: the tests use positions in a list. Each misuse is reported at one token, with a text that
//! names what was found.

/// One token of the input, or one group of them.
pub(crate) struct Token<S> {
    /// Where it stands.
    pub(crate) span: S,
    /// What it looks like in the source.
    pub(crate) text: String,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or a keyword.
    Word,
    /// A number, a string or a character.
    Literal,
    /// One character of punctuation.
    Punct,
    /// `()`.
    EmptyParentheses,
    /// `(…)`.
    Parentheses,
    /// `{…}`.
    Braces,
    /// `[…]`.
    Brackets,
    /// Something that a declarative macro passed on as a whole.
    Opaque,
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misuse<S> {
    /// The token to point at.
    pub(crate) span: S,
    /// What to say.
    pub(crate) text: String,
    /// Whether the item compiles without the macro, and should stay.
    pub(crate) keeps_item: bool,
}

impl<S: Copy> Misuse<S> {
    fn at(token: &Token<S>, text: String) -> Self {
        Self { span: token.span, text, keeps_item: false }
    }
}

/// The options in the attribute.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// How many workers to start.
    pub(crate) workers: Option<usize>,
    /// Whether time is virtual.
    pub(crate) virtual_time: bool,
    /// Whether a seed determines the course.
    pub(crate) deterministic: bool,
    /// Which one, or the first one.
    pub(crate) seed: Option<u64>,
    /// With how many seeds to run.
    pub(crate) seeds: Option<u64>,
    /// The path of weftline.
    pub(crate) path: Option<String>,
}

/// Reads `workers = 4, virtual_time, crate = "path"` and their kin, in any order.
pub(crate) fn options<S: Copy>(tokens: &[Token<S>], is_test: bool) -> Result<Options, Misuse<S>> {
    let mut options = Options::default();
    for option in tokens.split(|token| token.text == ",") {
        let Some((name, rest)) = option.split_first() else { continue };
        let is_second = match name.text.as_str() {
            "workers" => options.workers.replace(at_least_one(name, rest)?).is_some(),
            "virtual_time" => std::mem::replace(&mut options.virtual_time, flag(name, rest)?),
            "deterministic" => std::mem::replace(&mut options.deterministic, flag(name, rest)?),
            "seed" => options.seed.replace(seed(name, rest)?).is_some(),
            "seeds" if !is_test => {
                let text = "`seeds` is for tests: a program runs once".to_string();
                return Err(Misuse::at(name, text));
            }
            "seeds" => options.seeds.replace(at_least_one(name, rest)?).is_some(),
            "crate" => options.path.replace(path(name, rest)?).is_some(),
            other => {
                let seeds = if is_test { ", `seeds`" } else { "" };
                let text = format!(
                    "unknown option `{other}`: there are `workers`, `virtual_time`, \
                     `deterministic`, `seed`{seeds} and `crate`"
                );
                return Err(Misuse::at(name, text));
            }
        };
        if is_second {
            return Err(Misuse::at(name, format!("`{}` is given twice", name.text)));
        }
    }
    // Either one asks for a course that a seed determines.
    options.deterministic |= options.seed.is_some() || options.seeds.is_some();
    Ok(options)
}

/// An option that is there or not.
fn flag<S: Copy>(name: &Token<S>, rest: &[Token<S>]) -> Result<bool, Misuse<S>> {
    match rest.first() {
        None => Ok(true),
        Some(first) => {
            Err(Misuse::at(first, format!("`{0}` takes no value: write `{0}`", name.text)))
        }
    }
}

/// A number of things, of which there is at least one.
fn at_least_one<S: Copy, N>(name: &Token<S>, rest: &[Token<S>]) -> Result<N, Misuse<S>>
where
    N: TryFrom<u64>,
{
    let wanted = "a whole number of at least 1";
    let value = value(name, rest, wanted)?;
    let number = number(value).filter(|number| *number > 0);
    number.and_then(|number| N::try_from(number).ok()).ok_or_else(|| not(wanted, name, value))
}

/// The value of `seed`.
fn seed<S: Copy>(name: &Token<S>, rest: &[Token<S>]) -> Result<u64, Misuse<S>> {
    let wanted = "a whole number of at most 64 bits";
    let value = value(name, rest, wanted)?;
    number(value).ok_or_else(|| not(wanted, name, value))
}

/// A literal as a number: decimal, or hexadecimal as seeds may be.
fn number<S>(value: &Token<S>) -> Option<u64> {
    let text = value.text.replace('_', "");
    let text = text.strip_suffix("usize").or(text.strip_suffix("u64")).unwrap_or(&text);
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The misuse of a literal.
fn not<S: Copy>(wanted: &str, name: &Token<S>, value: &Token<S>) -> Misuse<S> {
    Misuse::at(value, format!("`{} = {}`: expected {wanted}", name.text, value.text))
}

/// The value of `crate`.
fn path<S: Copy>(name: &Token<S>, rest: &[Token<S>]) -> Result<String, Misuse<S>> {
    let wanted = "a path in quotes, such as \"my::weftline\"";
    let value = value(name, rest, wanted)?;
    let quoted = value.text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let path = quoted.filter(|path| is_path(path)).ok_or_else(|| not(wanted, name, value))?;
    Ok(path.to_string())
}

/// The one literal after `=`.
fn value<'a, S: Copy>(
    name: &Token<S>,
    rest: &'a [Token<S>],
    wanted: &str,
) -> Result<&'a Token<S>, Misuse<S>> {
    let option = &name.text;
    match rest {
        [equals, value] if equals.text == "=" && value.kind == Kind::Literal => Ok(value),
        [equals, first, ..] if equals.text == "=" => {
            let found: String = rest[1..].iter().map(|token| token.text.as_str()).collect();
            Err(Misuse::at(first, format!("`{option} = {found}`: expected {wanted}")))
        }
        _ => Err(Misuse::at(name, format!("`{option}` needs a value: {wanted}"))),
    }
}

/// Whether `text` is a path such as `a::b` or `::a`.
fn is_path(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    text.strip_prefix("::").unwrap_or(text).split("::").all(is_name)
}

/// Where the parts of an async function are among its tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// `async`; before it come the attributes and the visibility.
    pub(crate) start: usize,
    /// The name.
    pub(crate) name: usize,
    /// The body, which is the last token.
    pub(crate) body: usize,
}

/// Finds the parts of an async function without arguments.
pub(crate) fn function<S: Copy>(tokens: &[Token<S>], is_test: bool) -> Result<Function, Misuse<S>> {
    let start = skip_attributes(tokens, is_test)?;
    let start = skip_visibility(tokens, start);
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let (first, body) = match (tokens.get(start), tokens.len().checked_sub(1)) {
        (Some(first), Some(body)) if tokens[body].kind == Kind::Braces => (first, body),
        _ => return Err(not_a_function(tokens, start)),
    };
    if first.text == "fn" {
        let text = format!("`{0}` is not async: write `async fn {0}`", text(start + 1));
        return Err(Misuse { span: first.span, text, keeps_item: true });
    }
    if matches!(first.text.as_str(), "const" | "unsafe" | "extern") || first.text == "async" {
        let odd = (start..body).map(|at| &tokens[at]).take_while(|token| token.text != "fn");
        if let Some(odd) = odd.into_iter().find(|token| token.text != "async") {
            let text = format!("the function can only be `async`, found `{}`", odd.text);
            return Err(Misuse::at(odd, text));
        }
    }
    if first.text != "async" || text(start + 1) != "fn" {
        return Err(not_a_function(tokens, start));
    }
    let name = start + 2;
    let arguments = &tokens[name + 1];
    match arguments.kind {
        Kind::EmptyParentheses => Ok(Function { start, name, body }),
        Kind::Parentheses => {
            let text = format!("`{}` takes no arguments, found `{}`", text(name), arguments.text);
            Err(Misuse::at(arguments, text))
        }
        _ => {
            let text = format!("`{}` takes no generic parameters", text(name));
            Err(Misuse::at(arguments, text))
        }
    }
}

/// The misuse of the macro on something else than a function.
fn not_a_function<S: Copy>(tokens: &[Token<S>], at: usize) -> Misuse<S> {
    let found = tokens.get(at).or(tokens.last()).expect("an attribute stands above an item");
    Misuse::at(found, format!("expected an `async fn` with a body, found `{}`", found.text))
}

/// Where the attributes end; below the test macro, `#[test]` may not be one of them.
fn skip_attributes<S: Copy>(tokens: &[Token<S>], is_test: bool) -> Result<usize, Misuse<S>> {
    let mut at = 0;
    while let [mark, attribute, ..] = &tokens[at..] {
        if mark.text != "#" || attribute.kind != Kind::Brackets {
            break;
        }
        let name: String = attribute.text.split_whitespace().collect();
        if is_test && matches!(name.as_str(), "[test]" | "[::core::prelude::v1::test]") {
            let text = "`#[test]` is already part of this macro".to_string();
            return Err(Misuse::at(attribute, text));
        }
        at += 2;
    }
    Ok(at)
}

/// Where the visibility that starts at `at` ends.
fn skip_visibility<S>(tokens: &[Token<S>], at: usize) -> usize {
    match &tokens[at..] {
        [public, scope, ..] if public.text == "pub" && scope.kind == Kind::Parentheses => at + 2,
        [public, ..] if public.text == "pub" || public.kind == Kind::Opaque => at + 1,
        _ => at,
    }
}
