//! orx-parallel's iterators on a runtime.

use crate::rig::runtime_of;
use orx_parallel::{IntoParIter as _, Par as _, Runner};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::thread;
use weftline::{Handle, Runtime, task};

#[test]
fn its_iterators_give_what_sequential_ones_do() {
    let runtime = runtime_of(3);
    let runner = || Runner::adaptive_with_pool(runtime.handle().clone());
    let numbers: Vec<u64> = (0..100_000).collect();
    let even: Vec<_> = numbers.clone().into_par().filter(|n| n % 2 == 0).runner(runner()).collect();
    assert!(even.into_iter().eq(numbers.iter().copied().filter(|n| n % 2 == 0)));
    let sum: u64 = numbers.into_par().map(|n| n + 1).runner(runner()).sum();
    assert_eq!(sum, 5_000_050_000);
}

#[test]
fn its_iterators_run_on_the_workers_as_parts_of_the_task() {
    let threads = Arc::new(Mutex::new(HashSet::new()));
    let begun = threads.clone();
    let on_start = move || {
        begun.lock().unwrap().insert(thread::current().id());
    };
    let runtime = Runtime::builder().workers(2).on_thread_start(on_start).build().unwrap();
    let used = runtime.spawn(async {
        let own = task::current().map(|task| task.id());
        let parts = (0..10_000_usize).into_par().map(move |n| {
            assert_eq!(task::current().map(|task| task.id()), own);
            (std::hint::black_box(n), thread::current().id()).1
        });
        parts.runner(Runner::adaptive_with_pool(Handle::current())).collect::<Vec<_>>()
    });
    let used: HashSet<_> = used.wait().unwrap().into_iter().collect();
    assert!(used.is_subset(&threads.lock().unwrap()));
}
