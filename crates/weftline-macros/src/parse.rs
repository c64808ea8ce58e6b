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
    /// The path of weftline.
    pub(crate) path: Option<String>,
}

/// Reads `workers = 4, crate = "path"`, in any order.
pub(crate) fn options<S: Copy>(tokens: &[Token<S>]) -> Result<Options, Misuse<S>> {
    let mut options = Options::default();
    for option in tokens.split(|token| token.text == ",") {
        let Some((name, rest)) = option.split_first() else { continue };
        let is_second = match name.text.as_str() {
            "workers" => options.workers.replace(workers(name, rest)?).is_some(),
            "crate" => options.path.replace(path(name, rest)?).is_some(),
            other => {
                let text = format!("unknown option `{other}`: there are `workers` and `crate`");
                return Err(Misuse::at(name, text));
            }
        };
        if is_second {
            return Err(Misuse::at(name, format!("`{}` is given twice", name.text)));
        }
    }
    Ok(options)
}

/// The value of `workers`.
fn workers<S: Copy>(name: &Token<S>, rest: &[Token<S>]) -> Result<usize, Misuse<S>> {
    let wanted = "a whole number of at least 1";
    let value = value(name, rest, wanted)?;
    let number = value.text.replace('_', "");
    let number = number.strip_suffix("usize").unwrap_or(&number).parse().ok();
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| Misuse::at(value, format!("`workers = {}`: expected {wanted}", value.text)))
}

/// The value of `crate`.
fn path<S: Copy>(name: &Token<S>, rest: &[Token<S>]) -> Result<String, Misuse<S>> {
    let wanted = "a path in quotes, such as \"my::weftline\"";
    let value = value(name, rest, wanted)?;
    let quoted = value.text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let path = quoted
        .filter(|path| is_path(path))
        .ok_or_else(|| Misuse::at(value, format!("`crate = {}`: expected {wanted}", value.text)))?;
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
