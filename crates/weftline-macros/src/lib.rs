//! The attribute macros of weftline: `main` and `test`.
//!
//! They are re-exported by `weftline`, whose pages show them in use; nobody needs this crate by
//! itself. Written without a parser crate, so that they cost a user no build time: what is read of
//! a function is its head, in `parse.rs`; its body is passed on as it is.
//!
//! An `async fn` becomes a plain `fn` of the same name that holds the original and hands its future
//! to the function of the runtime made for this, `runtime::__macro_run` or one of its kin. Since the original
//! stays as it was written, errors in it are reported where they are, in the words they would have
//! without the macro.

mod parse;
#[cfg(test)]
mod tests;

use parse::{Function, Kind, Misuse, Options, Token};
use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Runs an `async fn` as the program's main function, in a runtime of its own.
///
/// The function takes no arguments and may return what `main` may return. When it returns, what
/// is left of its tasks is cancelled and awaited, and the runtime is closed.
///
/// # Options
///
/// - `workers = 4`: how many worker threads the runtime has, at least 1. Without it, as many as
///   the process may use processors.
/// - `virtual_time`: time stands still while anything happens, and jumps to the next deadline when
///   nothing else can happen.
/// - `deterministic`: a seed determines the course, and time is virtual. The seed is the value of
///   `WEFTLINE_SEED` in the environment, or else chosen by chance; it is printed when the function
///   panics. Without `workers` there are four, which the calling thread runs.
/// - `seed = 7`: deterministic, with this seed where the environment chooses none.
/// - `crate = "path"`: where to find weftline, for those who re-export it under another path.
///
/// # Errors
///
/// None of its own. When the runtime cannot be started (no threads, no descriptors) the function
/// panics with the reason.
///
/// # Examples
///
/// ```
/// # mod weftline { pub mod runtime {
/// #     pub fn __macro_run<F: Future>(_: Option<usize>, _: bool, future: F) -> F::Output {
/// #         let mut future = std::pin::pin!(future);
/// #         let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
/// #         loop {
/// #             if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut cx) {
/// #                 return output;
/// #             }
/// #         }
/// #     }
/// # } }
/// # use weftline_macros as macros;
/// #[macros::main(workers = 2, crate = "weftline")]
/// async fn main() -> Result<(), std::num::ParseIntError> {
///     let answer: u32 = "42".parse()?;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
/// ```
///
/// What it cannot run does not compile:
///
/// ```compile_fail
/// #[weftline_macros::main]
/// fn main() {}
/// ```
///
/// ```compile_fail
/// #[weftline_macros::test(workers = 0)]
/// async fn starts_no_worker() {}
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    expand(options, item, Use::Main)
}

/// Runs an `async fn` as a test, in a runtime of its own.
///
/// The function takes no arguments and may return what a `#[test]` may return. Other attributes
/// of tests, such as `#[should_panic]`, work as usual.
///
/// # Options
///
/// - `workers = 2`: how many worker threads the runtime has, at least 1. Without it there is one:
///   tests run beside each other, and what happens on one worker is easiest to reason about.
/// - `virtual_time`: time stands still while anything happens, and jumps to the next deadline when
///   nothing else can happen, so that an hour's sleep is over at once.
/// - `deterministic`: a seed determines the course, and time is virtual. The seed is the value of
///   `WEFTLINE_SEED` in the environment, or else chosen by chance; when the test fails, a line on
///   standard error tells it. Without `workers` there are four, which the test's thread runs.
/// - `seed = 7`: deterministic, with this seed where the environment chooses none.
/// - `seeds = 100`: deterministic, and run with so many seeds, chosen by chance, one after the other;
///   with just one where the environment chooses it. `WEFTLINE_SEED` counts for all tests of a run:
///   replay one by its name.
/// - `crate = "path"`: where to find weftline, for those who re-export it under another path.
///
/// # Errors
///
/// None of its own. When the runtime cannot be started the test panics with the reason.
///
/// # Examples
///
/// ```
/// # use weftline_macros as weftline;
/// #[weftline::test(workers = 2)]
/// async fn two_and_two_is_four() {
///     assert_eq!(2 + 2, 4);
/// }
/// ```
///
/// An argument would have no value:
///
/// ```compile_fail
/// #[weftline_macros::test]
/// async fn takes(one: u32) {}
/// # fn main() {}
/// ```
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand(options, item, Use::Test)
}

/// Which of the two macros is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Main,
    Test,
}

/// The function that stands in place of `item`, or the errors that say why there is none.
fn expand(options: TokenStream, item: TokenStream, used: Use) -> TokenStream {
    let options = parse::options(&tokens(options), used == Use::Test);
    let trees: Vec<TokenTree> = item.clone().into_iter().collect();
    let function = match parse::function(&tokens(item.clone()), used == Use::Test) {
        Ok(function) => function,
        // A function that is not async compiles as it stands: it stays, so that this is the only
        // error.
        Err(misuse) if misuse.keeps_item => return [error(misuse), item].into_iter().collect(),
        Err(misuse) => return error(misuse),
    };
    match options {
        Ok(options) => plain_function(&trees, &function, &options, used),
        // The function itself is fine and is made without the options, for the same reason.
        Err(misuse) => {
            let made = plain_function(&trees, &function, &Options::default(), used);
            [error(misuse), made].into_iter().collect()
        }
    }
}

/// The plain function that holds the async one and runs it.
fn plain_function(
    trees: &[TokenTree],
    function: &Function,
    options: &Options,
    used: Use,
) -> TokenStream {
    let mut body: Vec<TokenTree> = trees[function.start..].to_vec();
    body.extend(call(&trees[function.name], options, used));

    let mut plain: Vec<TokenTree> = Vec::new();
    if used == Use::Test {
        plain.extend(code("#[::core::prelude::v1::test]"));
    }
    plain.extend_from_slice(&trees[..function.start]);
    // Several runs have no one result: the test panics with the first that fails.
    let returns = used == Use::Main || !options.deterministic;
    let head_end = if returns { function.body } else { function.name + 2 };
    plain.extend_from_slice(&trees[function.start + 1..head_end]);
    plain.push(Group::new(Delimiter::Brace, body.into_iter().collect()).into());
    plain.into_iter().collect()
}

/// The expression that runs the async function in a runtime.
fn call(name: &TokenTree, options: &Options, used: Use) -> Vec<TokenTree> {
    let one = Some(1).filter(|_| used == Use::Test && !options.deterministic);
    let workers = option(options.workers.or(one));
    let seed = option(options.seed);
    let (function, given) = match used {
        _ if !options.deterministic => ("run", options.virtual_time.to_string()),
        Use::Main => ("replay", seed),
        Use::Test => ("explore", format!("{seed}, {}", options.seeds.unwrap_or(1))),
    };
    let mut arguments = code(&format!("{workers}, {given},"));
    arguments.push(name.clone());
    if !options.deterministic {
        arguments.push(Group::new(Delimiter::Parenthesis, TokenStream::new()).into());
    }

    let path = options.path.as_deref().unwrap_or("::weftline");
    let mut call = code(&format!("{path}::runtime::__macro_{function}"));
    call.push(Group::new(Delimiter::Parenthesis, arguments.into_iter().collect()).into());
    call
}

/// A number that may be missing, as Rust text.
fn option(number: Option<impl std::fmt::Display>) -> String {
    match number {
        None => "::core::option::Option::None".to_string(),
        Some(number) => format!("::core::option::Option::Some({number})"),
    }
}

/// Rust text as tokens that report errors at the attribute.
fn code(text: &str) -> Vec<TokenTree> {
    let stream: TokenStream = text.parse().expect("the text is a path or a number, checked before");
    stream.into_iter().collect()
}

/// A `compile_error!` that points at the misused token.
fn error(misuse: Misuse<Span>) -> TokenStream {
    let colon = |spacing| TokenTree::from(Punct::new(':', spacing));
    let text = Literal::string(&misuse.text).into();
    let trees = [
        colon(Spacing::Joint),
        colon(Spacing::Alone),
        Ident::new("core", misuse.span).into(),
        colon(Spacing::Joint),
        colon(Spacing::Alone),
        Ident::new("compile_error", misuse.span).into(),
        Punct::new('!', Spacing::Alone).into(),
        Group::new(Delimiter::Brace, at(misuse.span, [text]).into_iter().collect()).into(),
    ];
    at(misuse.span, trees).into_iter().collect()
}

/// The same tokens, placed at `span`.
fn at<const N: usize>(span: Span, trees: [TokenTree; N]) -> [TokenTree; N] {
    trees.map(|mut tree| {
        tree.set_span(span);
        tree
    })
}

/// The tokens as the parser sees them, one for each tree.
fn tokens(stream: TokenStream) -> Vec<Token<Span>> {
    let token =
        |tree: TokenTree| Token { span: tree.span(), text: tree.to_string(), kind: kind(&tree) };
    stream.into_iter().map(token).collect()
}

/// What kind of token a tree is.
fn kind(tree: &TokenTree) -> Kind {
    let TokenTree::Group(group) = tree else {
        return match tree {
            TokenTree::Ident(_) => Kind::Word,
            TokenTree::Literal(_) => Kind::Literal,
            _ => Kind::Punct,
        };
    };
    let mut inner = group.stream().into_iter();
    match group.delimiter() {
        Delimiter::Parenthesis if inner.next().is_none() => Kind::EmptyParentheses,
        Delimiter::Parenthesis => Kind::Parentheses,
        Delimiter::Brace => Kind::Braces,
        Delimiter::Bracket => Kind::Brackets,
        // What a declarative macro passes on as a whole: a block is one, all else is opaque.
        Delimiter::None => match (inner.next(), inner.next()) {
            (Some(TokenTree::Group(only)), None) if only.delimiter() == Delimiter::Brace => {
                Kind::Braces
            }
            _ => Kind::Opaque,
        },
    }
}
