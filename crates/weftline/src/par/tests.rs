//! Sorting keeps all elements, once each, whatever a comparison does. Under Miri, too.

use super::merge::PART;
use super::{sort_by, sort_unstable_by};
use crate::platform::model_of_one;
use std::cell::RefCell;
use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{self, AtomicUsize};

/// Numbers in an order that looks like none.
fn mixed(count: usize) -> impl Iterator<Item = usize> {
    (1..=count).map(move |n| n.wrapping_mul(0x9E37_79B9) % count)
}

/// So many that they are merged on several levels, and in several parts.
const COUNT: usize = PART * 11 + 5;

#[test]
fn a_comparison_that_panics_loses_and_doubles_nothing() {
    model_of_one(|| {
        let total = AtomicUsize::new(0);
        let run = |panics_at: usize| {
            let mut items: Vec<_> = mixed(COUNT).map(Box::new).collect();
            let compared = AtomicUsize::new(0);
            let sorted = catch_unwind(AssertUnwindSafe(|| {
                sort_by(&mut items, |a, b| {
                    let compared = compared.fetch_add(1, atomic::Ordering::Relaxed);
                    assert_ne!(compared, panics_at, "on purpose");
                    a.cmp(b)
                });
            }));
            assert_eq!(sorted.is_err(), panics_at != usize::MAX);
            let is_sorted = items.is_sorted();
            items.sort();
            let mut all: Vec<_> = mixed(COUNT).map(Box::new).collect();
            all.sort();
            assert!(items == all, "elements are lost or doubled");
            total.store(compared.into_inner(), atomic::Ordering::Relaxed);
            is_sorted
        };
        assert!(run(usize::MAX));
        let comparisons = total.load(atomic::Ordering::Relaxed);
        for panics_at in 0..comparisons {
            run(panics_at);
        }
    });
}

#[test]
fn a_comparison_that_is_no_order_loses_and_doubles_nothing() {
    model_of_one(|| {
        let state = AtomicUsize::new(1);
        let any_order = |_: &String, _: &String| {
            let next =
                state.load(atomic::Ordering::Relaxed).wrapping_mul(6_364_136_223_846_793_005) + 1;
            state.store(next, atomic::Ordering::Relaxed);
            if next >> 40 & 1 == 0 { Ordering::Less } else { Ordering::Greater }
        };
        let mut items: Vec<_> = (0..COUNT).map(|n| format!("{n:5}")).collect();
        let expected = items.clone();
        for _ in 0..100 {
            // They may panic.
            let _ = catch_unwind(AssertUnwindSafe(|| sort_by(&mut items, any_order)));
            let _ = catch_unwind(AssertUnwindSafe(|| sort_unstable_by(&mut items, any_order)));
        }
        items.sort();
        assert_eq!(items, expected);
    });
}

#[test]
fn a_comparison_may_change_what_it_compares() {
    model_of_one(|| {
        // The value, and a list that is in another place after most comparisons.
        let mut items: Vec<_> = mixed(COUNT).map(|n| (n, RefCell::new(Vec::new()))).collect();
        sort_by(&mut items, |a, b| {
            a.1.borrow_mut().push(b.0);
            b.1.borrow_mut().push(a.0);
            a.0.cmp(&b.0)
        });
        assert!(items.is_sorted_by_key(|(n, _)| *n));
        assert!(items.iter().all(|(_, compared)| !compared.borrow().is_empty()));
    });
}

#[test]
fn what_has_no_size_is_sorted() {
    let mut items = vec![(); COUNT];
    sort_by(&mut items, Ord::cmp);
    assert_eq!(items.len(), COUNT);
}
