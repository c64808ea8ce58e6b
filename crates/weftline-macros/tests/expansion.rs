//! What the macros make of a function, run in a stand-in for the runtime.

use std::cell::Cell;
use std::num::ParseIntError;

/// Stands in for weftline: polls a future that never waits, and notes what it was asked for.
mod stand_in {
    pub(crate) mod runtime {
        use std::cell::Cell;
        use std::pin::pin;
        use std::task::{Context, Poll, Waker};

        thread_local! {
            /// The number of workers the last call asked for.
            pub(crate) static WORKERS: Cell<Option<usize>> = const { Cell::new(None) };
            /// Whether it asked for virtual time.
            pub(crate) static VIRTUAL: Cell<bool> = const { Cell::new(false) };
            /// The seed that the last call asked for, and with how many to run.
            pub(crate) static SEEDS: Cell<(Option<u64>, u64)> = const { Cell::new((None, 0)) };
        }

        pub(crate) fn __macro_replay<F: Future>(
            workers: Option<usize>,
            seed: Option<u64>,
            main: impl FnOnce() -> F,
        ) -> F::Output {
            SEEDS.set((seed, 1));
            __macro_run(workers, true, main())
        }

        pub(crate) fn __macro_explore<F: Future>(
            workers: Option<usize>,
            seed: Option<u64>,
            seeds: u64,
            test: impl Fn() -> F,
        ) {
            SEEDS.set((seed, seeds));
            for _ in 0..seeds {
                __macro_run(workers, true, test());
            }
        }

        pub(crate) fn __macro_run<F: Future>(
            workers: Option<usize>,
            virtual_time: bool,
            future: F,
        ) -> F::Output {
            WORKERS.set(workers);
            VIRTUAL.set(virtual_time);
            match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(output) => output,
                Poll::Pending => panic!("the stand-in cannot wait"),
            }
        }
    }
}

use stand_in::runtime::{SEEDS, VIRTUAL, WORKERS};

/// Documentation and attributes stay.
#[weftline_macros::main(crate = "stand_in")]
#[must_use]
pub(crate) async fn by_default() -> u32 {
    std::future::ready(42).await
}

#[weftline_macros::main(workers = 1_0, crate = "crate::stand_in")]
async fn with_a_question_mark() -> Result<u32, ParseIntError> {
    if "x".parse::<u32>().is_ok() {
        return Ok(1);
    }
    let number: u32 = "no number".parse()?;
    Ok(number)
}

macro_rules! made_by_a_macro {
    ($vis:vis $name:ident -> $output:ty $body:block) => {
        #[weftline_macros::main(workers = 3, crate = "stand_in")]
        $vis async fn $name() -> $output $body
    };
}

made_by_a_macro!(pub(crate) made -> &'static str { "made" });

#[test]
fn the_output_comes_back_and_the_runtime_chooses_its_workers() {
    WORKERS.set(Some(7));
    assert_eq!(by_default(), 42);
    assert_eq!(WORKERS.get(), None);
}

#[test]
fn an_error_returns_early_and_the_workers_are_passed_on() {
    assert!(with_a_question_mark().is_err());
    assert_eq!(WORKERS.get(), Some(10));
}

#[test]
fn a_function_made_by_a_macro_works() {
    assert_eq!(made(), "made");
    assert_eq!(WORKERS.get(), Some(3));
}

#[weftline_macros::test(crate = "stand_in")]
async fn a_test_has_one_worker_unless_told_otherwise() {
    assert_eq!(WORKERS.get(), Some(1));
}

#[weftline_macros::test(crate = "stand_in", workers = 2)]
async fn a_test_may_have_more_workers_and_return_a_result() -> Result<(), ParseIntError> {
    assert_eq!(WORKERS.get(), Some(2));
    "4".parse::<u32>().map(drop)
}

#[weftline_macros::test(crate = "stand_in", virtual_time)]
async fn a_test_may_have_virtual_time() {
    assert!(VIRTUAL.get());
    assert_eq!(WORKERS.get(), Some(1));
}

#[weftline_macros::test(crate = "stand_in")]
async fn a_test_has_real_time_unless_told_otherwise() {
    assert!(!VIRTUAL.get());
}

#[weftline_macros::test(crate = "stand_in", deterministic)]
async fn a_deterministic_test_leaves_workers_and_seed_to_the_runtime() {
    assert_eq!((WORKERS.get(), SEEDS.get()), (None, (None, 1)));
}

#[weftline_macros::test(crate = "stand_in", seed = 7, seeds = 3, workers = 2)]
async fn a_test_with_several_seeds_may_return_a_result() -> Result<(), ParseIntError> {
    assert_eq!((WORKERS.get(), SEEDS.get()), (Some(2), (Some(7), 3)));
    "4".parse::<u32>().map(drop)
}

#[weftline_macros::main(crate = "stand_in", seed = 7)]
async fn replayed() -> u32 {
    7
}

#[test]
fn a_deterministic_main_returns_its_output() {
    assert_eq!(replayed(), 7);
    assert_eq!((WORKERS.get(), SEEDS.get()), (None, (Some(7), 1)));
}

#[weftline_macros::test(crate = "stand_in")]
#[should_panic(expected = "as it should")]
async fn a_test_that_should_panic_does() {
    panic!("as it should");
}

#[weftline_macros::test(crate = "stand_in")]
async fn a_future_may_borrow_and_need_not_be_send() {
    let cell = Cell::new(1);
    let borrow = &cell;
    let add = async { borrow.set(borrow.get() + 1) };
    add.await;
    assert_eq!(cell.get(), 2);
}
