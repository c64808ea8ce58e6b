//! Calls for each of many items: the same as one after the other, and on all workers.

use crate::fork_join::spin_until;
use crate::probe::Gate;
use crate::rig::{LONG, panic_with, runtime_of};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use weftline::{checkpoint, compute, par};

/// Runs a test in a computation of a runtime with others, and on a thread without a runtime.
fn anywhere(test: impl Fn() + Clone + Send + 'static) {
    test();
    let runtime = runtime_of(3);
    runtime.block_on(async { compute(test).await.unwrap() });
}

/// Numbers in an order that looks like none; some come several times.
fn mixed(count: u64) -> Vec<u64> {
    (1..=count).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 & 0xF_FFFF).collect()
}

#[test]
fn each_item_is_seen_once() {
    anywhere(|| {
        for count in [0, 1, 2, 3, 1000, 100_000] {
            let seen: Vec<_> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            par::for_each(0..count, |n| {
                seen[n].fetch_add(1, Ordering::Relaxed);
            });
            assert!(seen.iter().all(|seen| seen.load(Ordering::Relaxed) == 1));
        }
    });
}

#[test]
fn what_is_made_of_items_is_in_their_order() {
    anywhere(|| {
        let numbers = mixed(100_000);
        let text = |n: &u64| n.to_string();
        let expected: Vec<_> = numbers.iter().map(text).collect();
        assert!(par::map(&numbers, text) == expected);
        assert!(par::map(numbers, |n| n.to_string()) == expected);
    });
}

#[test]
fn an_error_ends_a_loop() {
    anywhere(|| {
        let odd = |n: u64| if n % 2 == 0 { Err(n) } else { Ok(()) };
        assert_eq!(par::try_for_each([1, 3, 5].to_vec(), odd), Ok(()));
        assert_eq!(par::try_for_each(1..2, odd), Ok(()));
        // Nobody could see all of these.
        let seen = AtomicUsize::new(0);
        let ended = par::try_for_each(0..u64::MAX, |n| {
            seen.fetch_add(1, Ordering::Relaxed);
            if n == 1000 { Err(n) } else { Ok(()) }
        });
        assert_eq!(ended, Err(1000));
        assert!(par::try_map(0..u64::MAX, odd).is_err());
        assert!(seen.into_inner() > 1000, "those before were seen");
    });
}

#[test]
fn of_several_errors_the_earliest_item_s_is_given() {
    anywhere(|| {
        let numbers = mixed(100_000);
        assert_eq!(par::try_map(&numbers, |n| Ok::<_, ()>(*n)), Ok(numbers.clone()));
    });
    let runtime = runtime_of(3);
    runtime.block_on(async {
        let both = compute(|| {
            let second_failed = AtomicBool::new(false);
            par::try_map(0..2, |n| {
                if n == 0 {
                    spin_until(|| {
                        checkpoint().unwrap();
                        second_failed.load(Ordering::Relaxed)
                    });
                }
                second_failed.store(true, Ordering::Relaxed);
                Err::<(), _>(n)
            })
        });
        assert_eq!(both.await.unwrap(), Err(0));
    });
}

#[test]
fn a_request_to_end_reaches_all_forks_of_a_loop() {
    let runtime = runtime_of(3);
    runtime.block_on(async {
        let begun = Gate::new();
        let begins = begun.clone();
        let job = compute(move || {
            let ended = par::try_for_each(0..u64::MAX, |_| {
                begins.open();
                checkpoint()
            });
            assert!(ended.is_err());
        });
        begun.block();
        job.cancel();
        job.await.unwrap();
    });
}

#[test]
fn sums_and_reductions_are_those_of_an_iterator() {
    anywhere(|| {
        for count in [0, 1, 2, 1000, 100_000] {
            let numbers = mixed(count);
            assert_eq!(par::sum(&numbers, |n| *n), numbers.iter().sum());
            assert_eq!(par::reduce(&numbers, |n| *n, u64::max), numbers.iter().copied().max());
            // Depends on the order.
            let join = |a: String, b: String| a + &b;
            let few = &numbers[..numbers.len().min(2000)];
            let all: String = few.iter().map(u64::to_string).collect();
            let reduced = par::reduce(few, u64::to_string, join);
            assert_eq!(reduced.unwrap_or_default(), all);
        }
    });
}

#[test]
fn items_are_those_of_slices_chunks_vectors_ranges_and_pairs() {
    anywhere(|| {
        let mut numbers: Vec<i64> = vec![0; 10_007];
        par::for_each(par::enumerate(&mut numbers), |(place, number)| *number = place as i64);
        assert!(numbers.iter().copied().eq(0..10_007));
        par::for_each(par::chunks_mut(&mut numbers, 10), |chunk| chunk.reverse());
        par::for_each(par::enumerate(par::chunks(&numbers, 10)), |(place, chunk)| {
            let first = place as i64 * 10;
            assert!(chunk.iter().rev().copied().eq(first..first + chunk.len() as i64));
        });
        par::for_each(par::zip(&mut numbers, -20_000..20_000), |(number, other)| *number = other);
        assert!(numbers.iter().copied().eq(-20_000..-9_993));
        let pairs = par::map(par::zip(numbers, par::enumerate(0..5_u8)), |pair| pair);
        assert_eq!(pairs[..2], [(-20_000, (0, 0)), (-19_999, (1, 1))]);
        assert_eq!(pairs.len(), 5);
        assert_eq!(par::sum(i8::MIN..i8::MAX, i32::from), -255);
        assert_eq!(par::map(u64::MAX - 3..u64::MAX, |n| u64::MAX - n), [3, 2, 1]);
        assert_eq!(par::map(std::ops::Range { start: 3, end: 1 }, |n: usize| n), [0; 0]);
    });
}

#[test]
fn idle_workers_take_parts_of_few_large_items_and_of_many_small_ones() {
    let runtime = runtime_of(3);
    runtime.block_on(async {
        compute(|| {
            let large = || {
                par::map(0..4, |_| {
                    thread::sleep(Duration::from_millis(1));
                    thread::current().id()
                })
            };
            let small = || par::map(0..100_000, |_| thread::current().id());
            meets_others(large);
            meets_others(small);
        })
        .await
        .unwrap();
    });
}

/// Tries until more than one thread has taken part: idle workers ask now and then.
#[track_caller]
fn meets_others(run: impl Fn() -> Vec<thread::ThreadId>) {
    let began = Instant::now();
    while run().into_iter().collect::<HashSet<_>>().len() == 1 {
        assert!(began.elapsed() < LONG, "nobody came");
    }
}

#[test]
fn items_that_turn_out_large_after_many_small_ones_are_shared() {
    let runtime = runtime_of(3);
    runtime.block_on(async {
        compute(|| {
            let item = |n| {
                if n >= 1_000_000 {
                    thread::sleep(Duration::from_millis(1));
                }
                thread::current().id()
            };
            meets_others(|| par::map(0..1_000_200, item).split_off(1_000_000));
        })
        .await
        .unwrap();
    });
}

#[test]
fn a_panic_comes_back_after_all_calls_have_ended() {
    anywhere(|| {
        let inside = AtomicUsize::new(0);
        let run = || {
            par::for_each(0..10_000, |n| {
                inside.fetch_add(1, Ordering::Relaxed);
                if n == 5000 {
                    inside.fetch_sub(1, Ordering::Relaxed);
                    panic_with("on purpose: item 5000");
                }
                inside.fetch_sub(1, Ordering::Relaxed);
            });
        };
        let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "on purpose: item 5000");
        assert_eq!(inside.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn chunks_of_no_items_are_refused() {
    assert!(catch_unwind(|| par::chunks(&[1, 2], 0)).is_err());
    assert!(catch_unwind(|| par::chunks_mut(&mut [1, 2], 0).count()).is_err());
}

#[test]
fn sorting_is_stable_for_every_size_and_shape() {
    anywhere(|| {
        for count in [0, 1, 2, 100, 65_537, 150_000] {
            let shapes: [Vec<u64>; 5] = [
                mixed(count),
                (0..count).collect(),
                (0..count).rev().collect(),
                (0..count).map(|n| n % 7).collect(),
                (0..count).map(|n| n % (count / 2 + 1)).collect(),
            ];
            for numbers in shapes {
                // The number, and its place before.
                let items: Vec<_> = numbers.iter().copied().zip(0..count).collect();
                let mut expected = items.clone();
                expected.sort_by_key(|item| item.0);
                let mut sorted = items.clone();
                par::sort_by_key(&mut sorted, |item| item.0);
                assert!(sorted == expected, "{count} items");
                let mut sorted = items.clone();
                par::sort_by(&mut sorted, |a, b| b.0.cmp(&a.0));
                assert!(sorted.is_sorted_by(|a, b| a.0 > b.0 || a.0 == b.0 && a.1 < b.1));
                let mut sorted = numbers.clone();
                par::sort(&mut sorted);
                assert!(sorted.iter().eq(expected.iter().map(|item| &item.0)));
            }
        }
    });
}

#[test]
fn unstable_sorts_sort() {
    anywhere(|| {
        for count in [0, 1, 65_537, 150_000] {
            let mut expected = mixed(count);
            expected.sort_unstable();
            let mut numbers = mixed(count);
            par::sort_unstable(&mut numbers);
            assert!(numbers == expected);
            let mut texts: Vec<_> = mixed(count).into_iter().map(|n| n.to_string()).collect();
            par::sort_unstable_by_key(&mut texts, |text| text.parse::<u64>().unwrap());
            assert!(texts.iter().map(|text| text.parse::<u64>().unwrap()).eq(expected));
            par::sort_unstable_by(&mut texts, |a, b| b.cmp(a));
            assert!(texts.is_sorted_by(|a, b| a >= b));
        }
    });
}

#[test]
fn workers_take_parts_of_a_sort() {
    let runtime = runtime_of(3);
    runtime.block_on(async {
        compute(|| {
            meets_others(|| {
                let threads = Mutex::new(HashSet::new());
                par::sort_by(&mut mixed(200_000), |a, b| {
                    if a & 0xFF == 0 {
                        threads.lock().unwrap().insert(thread::current().id());
                    }
                    a.cmp(b)
                });
                threads.into_inner().unwrap().into_iter().collect()
            });
        })
        .await
        .unwrap();
    });
}
