//! Pools: runtimes with just the threads they were told to have.

use crate::ends;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn a_pool_has_the_threads_it_was_told_to_have_and_no_others() {
    let pool = pool(3);
    let used = Mutex::new(HashSet::new());
    pool.install(|| {
        (0..50_000u64).into_par_iter().for_each(|n| {
            std::hint::black_box((0..n % 500).sum::<u64>());
            used.lock()
                .unwrap()
                .insert((rayon::current_thread_index().unwrap(), thread::current().id()));
        });
    });
    let used = used.into_inner().unwrap();
    let threads: HashSet<_> = used.iter().map(|(_, id)| id).collect();
    assert_eq!(used.len(), threads.len(), "one index for each thread");
    assert!(used.iter().all(|(index, _)| *index < 3));
}

#[test]
fn what_is_queued_in_a_pool_goes_on_while_its_threads_wait_for_forks() {
    ends(|| {
        let pool = pool(2);
        let (sender, receiver) = mpsc::channel();
        let receiver = Mutex::new(receiver);
        pool.install(|| {
            // Both threads are in this `join`; the one that waits for the other must run the job.
            rayon::join(
                || rayon::spawn(move || sender.send(1).unwrap()),
                || assert_eq!(receiver.lock().unwrap().recv(), Ok(1)),
            );
        });
    });
}

#[test]
fn a_closure_may_wait_for_the_one_it_was_forked_with() {
    ends(|| {
        for threads in [2, 4] {
            let pool = pool(threads);
            for _ in 0..200 {
                let (sender, receiver) = mpsc::channel();
                pool.join(move || receiver.recv().unwrap(), move || sender.send(1).unwrap());
            }
        }
    });
}

#[test]
fn a_closure_may_wait_for_one_that_was_forked_inside_of_another_fork() {
    ends(|| {
        let pool = pool(2);
        for _ in 0..500 {
            let both = Barrier::new(2);
            pool.install(|| rayon::join(|| rayon::join(|| both.wait(), || both.wait()), || ()));
            // Also one level further in, and where the other thread has something to do first.
            let pause = || thread::sleep(Duration::from_micros(20));
            let waiting = || rayon::join(|| both.wait(), || both.wait());
            pool.install(|| rayon::join(|| rayon::join(waiting, || ()), pause));
        }
    });
}

#[test]
fn as_many_parts_of_an_iterator_as_there_are_threads_may_wait_for_each_other() {
    ends(|| {
        for threads in [2, 3, 4, 8] {
            let pool = pool(threads);
            for _ in 0..100 {
                let all = Barrier::new(threads);
                let parts = (0..threads).into_par_iter().with_max_len(1);
                pool.install(|| parts.for_each(|_| _ = all.wait()));
            }
        }
    });
}

#[cfg(unix)]
#[test]
fn a_panic_that_nobody_takes_aborts_the_process_also_where_dropping_it_panics() {
    use std::os::unix::process::ExitStatusExt;
    use std::panic::panic_any;
    use std::process::{Command, Stdio};

    /// What a job panics with; dropping it panics, too.
    struct Thorny;
    impl Drop for Thorny {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    const CHILD: &str = "RAYON_CORE_TEST_CHILD";
    match std::env::var(CHILD).as_deref() {
        Err(_) => {
            let name =
                "pools::a_panic_that_nobody_takes_aborts_the_process_also_where_dropping_it_panics";
            for child in ["unhandled", "handled badly"] {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["--exact", name]).env(CHILD, child);
                let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
                assert_eq!(status.signal(), Some(6), "{child}: {status}");
            }
            return;
        }
        Ok("unhandled") => pool(1).spawn(|| panic_any(Thorny)),
        Ok(_) => {
            let builder = ThreadPoolBuilder::new().num_threads(1);
            let pool = builder.panic_handler(|_| panic_any(Thorny)).build().unwrap();
            pool.spawn(|| panic!("told"));
        }
    }
    // The process ends before that.
    thread::sleep(Duration::from_secs(5));
}

#[test]
fn yielding_runs_a_fork_of_the_own_thread() {
    ends(|| {
        let flag = AtomicBool::new(false);
        pool(1).join(
            || {
                while !flag.load(Ordering::Acquire) {
                    assert_eq!(rayon::yield_now(), Some(rayon::Yield::Executed));
                }
            },
            || flag.store(true, Ordering::Release),
        );
    });
}

#[test]
fn a_pool_may_be_dropped_by_its_own_job() {
    ends(|| {
        let (ended, end) = mpsc::channel();
        let builder = ThreadPoolBuilder::new().num_threads(2);
        let pool = builder.exit_handler(move |_| ended.send(()).unwrap()).build().unwrap();
        let pool = Arc::new(pool);
        let own = pool.clone();
        pool.spawn(move || drop(own));
        drop(pool);
        assert_eq!(end.iter().count(), 2, "both threads end, and the handler with them");
    });
}

#[test]
fn what_a_pool_drops_at_its_end_may_call_rayon() {
    /// Calls rayon in a runtime when it is dropped.
    struct Caller(weftline::Handle);
    impl Drop for Caller {
        fn drop(&mut self) {
            let _entered = self.0.enter();
            assert_eq!(rayon::current_num_threads(), 1);
        }
    }

    ends(|| {
        let runtime = || weftline::Runtime::builder().workers(1).build().unwrap();
        let runtimes = [runtime(), runtime(), runtime()];
        let stop = Arc::new(AtomicBool::new(false));
        // Looks all runtimes and pools through for one, again and again.
        let (stopped, handles) = (stop.clone(), [0, 1].map(|n| runtimes[n].handle().clone()));
        let looking = thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                for handle in &handles {
                    let _entered = handle.enter();
                    assert_eq!(rayon::current_num_threads(), 1);
                }
            }
        });
        for _ in 0..500 {
            let caller = Caller(runtimes[2].handle().clone());
            let builder = ThreadPoolBuilder::new().num_threads(1);
            drop(builder.panic_handler(move |_| _ = &caller).build().unwrap());
        }
        stop.store(true, Ordering::Release);
        looking.join().unwrap();
    });
}

#[test]
fn one_thread_is_enough_for_a_pool_of_its_own() {
    ends(|| {
        let pool = ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap();
        assert_eq!(pool.current_thread_index(), Some(0));
        let sum: u64 = pool.install(|| (0..1000u64).into_par_iter().sum());
        assert_eq!(sum, 499_500);
        let mut done = 0;
        pool.scope(|scope| scope.spawn(|_| done += 1));
        assert_eq!(done, 1);
        assert_eq!(pool.broadcast(|context| context.index()), [0]);
        // Others find it when it yields.
        thread::scope(|scope| {
            let installed = scope.spawn(|| pool.install(rayon::current_thread_index));
            while !installed.is_finished() {
                rayon::yield_now();
            }
            assert_eq!(installed.join().unwrap(), Some(0));
        });
    });
}

#[test]
fn the_thread_that_built_a_pool_takes_part_while_it_waits() {
    ends(|| {
        let pool = ThreadPoolBuilder::new().num_threads(3).use_current_thread().build().unwrap();
        for _ in 0..100 {
            let indices =
                pool.broadcast(|context| rayon::current_thread_index() == Some(context.index()));
            assert_eq!(indices, [true; 3]);
            let sum: u64 = (0..10_000u64).into_par_iter().sum();
            assert_eq!(sum, 49_995_000);
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_pool_that_has_nothing_to_do_makes_no_wake_up() {
    use std::time::Instant;

    let builder = ThreadPoolBuilder::new().num_threads(4);
    let pool = builder.thread_name(|index| format!("quiet{index}")).build().unwrap();
    assert_eq!(pool.install(|| (0..100_000u64).into_par_iter().sum::<u64>()), 4_999_950_000);
    // The watch of those that were woken ends after some milliseconds.
    let began = Instant::now();
    let mut before = switches("quiet");
    loop {
        thread::sleep(Duration::from_millis(200));
        let now = switches("quiet");
        assert!(now > 0, "the threads are found");
        if now == before {
            return;
        }
        before = now;
        assert!(began.elapsed() < crate::LONG, "it never becomes quiet");
    }
}

/// How often threads whose names begin so have gone to sleep.
#[cfg(target_os = "linux")]
fn switches(name: &str) -> u64 {
    use std::fs;

    let threads = fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let of_thread = |path: std::path::PathBuf| {
        // It may have ended meanwhile.
        let own = fs::read_to_string(path.join("comm")).ok()?;
        let status = fs::read_to_string(path.join("status")).ok()?;
        let lines = status.lines().filter_map(|line| line.split_once("voluntary_ctxt_switches:"));
        let lines = lines.filter(|(before, _)| before.is_empty());
        let counts = lines.filter_map(|(_, count)| count.trim().parse::<u64>().ok());
        own.starts_with(name).then(|| counts.sum::<u64>())
    };
    threads.filter_map(|thread| of_thread(thread.path())).sum()
}

/// How long the calling thread has had a processor.
#[cfg(target_os = "linux")]
fn ran() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    // Not every kernel tells.
    let ran = times.split(' ').next().and_then(|ran| ran.parse().ok());
    Duration::from_nanos(ran.unwrap_or(0))
}

#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_waits_above_a_scope_sleeps_while_jobs_of_that_fork() {
    use std::time::Instant;

    fn fib(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let (a, b) = rayon::join(|| fib(n - 1), || fib(n - 2));
        a + b
    }

    const WATCHED: Duration = Duration::from_millis(1000);
    ends(|| {
        let pool = pool(2);
        let attempt = || {
            let taken = AtomicBool::new(false);
            let wait_until_taken = || {
                while !taken.load(Ordering::Acquire) {
                    thread::yield_now();
                }
                ran()
            };
            let jobs = || {
                taken.store(true, Ordering::Release);
                let (began, own) = (Instant::now(), thread::current().id());
                let mut is_here = false;
                rayon::scope(|scope| {
                    scope.spawn(|_| {
                        is_here = thread::current().id() == own;
                        while is_here && began.elapsed() < WATCHED {
                            fib(15);
                        }
                    });
                });
                is_here
            };
            let (before, is_there) = rayon::join(wait_until_taken, jobs);
            // Else the thread that waits has taken the job itself.
            is_there.then(|| ran() - before)
        };
        let used = std::iter::repeat_with(|| pool.install(attempt)).find_map(|used| used).unwrap();
        assert!(used < WATCHED / 100, "it ran for {used:?} of {WATCHED:?}");
    });
}
