//! Listening for signals: streams, callbacks, Ctrl-C, and what becomes of other reactions.
//!
//! Each test signals a process of its own.

use crate::probe::Gate;
use crate::rig::{
    LONG, MS, PanicsWhenDropped, Reports, child, eventually, holder, in_child, is_child, runtime,
    within_limit,
};
use rustix::process::{Signal as Sent, getpid, kill_process};
use std::future::{pending, poll_fn};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use weftline::runtime::RunError;
use weftline::signal::{Kind, Signal, ctrl_c, on_signal, signal};
use weftline::task::UnhandledKind;
use weftline::time::timeout;
use weftline::{Runtime, finally, spawn, yield_now};

/// Sends a signal to this process.
fn send(sent: Sent) {
    kill_process(getpid(), sent).expect("this process is there");
}

/// What is done about a signal.
fn handler(number: i32) -> usize {
    // SAFETY: all zeroes is a valid `sigaction`.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: a null action changes nothing; the place for the old one is valid.
    unsafe { libc::sigaction(number, std::ptr::null(), &raw mut action) };
    action.sa_sigaction
}

fn is_default(number: i32) -> bool {
    handler(number) == libc::SIG_DFL
}

/// Ignores a signal, or does by default what it does.
fn set(number: i32, action: libc::sighandler_t) {
    // SAFETY: neither of the two installs code.
    unsafe { libc::signal(number, action) };
}

/// Whether the signal has been heard by now.
async fn has_heard(signal: &mut Signal) -> bool {
    let mut heard = pin!(signal.recv());
    poll_fn(|cx| Poll::Ready(heard.as_mut().poll(cx).is_ready())).await
}

/// Runs a test's body as a main future, in a process of its own.
fn alone(name: &str, body: impl Future<Output = ()> + Send + 'static) {
    if in_child(name) {
        within_limit(|| runtime().block_on(body));
    }
}

// AT-SIG-01
#[test]
fn a_handler_is_called_once_on_the_runtime_which_was_asleep() {
    alone("signal::a_handler_is_called_once_on_the_runtime_which_was_asleep", async {
        let (calls, called) = (Arc::new(AtomicUsize::new(0)), Gate::new());
        let (counts, opens, argument) = (calls.clone(), called.clone(), 7);
        let registration = on_signal(Kind::ALARM, move || {
            assert!(weftline::Handle::current().worker_index().is_some(), "it runs on a worker");
            counts.fetch_add(argument, Ordering::SeqCst);
            // It may use the runtime.
            let opens = opens.clone();
            drop(spawn(async move { opens.open() }));
        })
        .unwrap();
        assert_eq!(registration.kind(), Kind::ALARM);
        // SAFETY: there are no pointers. The alarm comes when the workers have gone to sleep.
        unsafe { libc::alarm(1) };
        called.wait().await;
        assert_eq!(calls.load(Ordering::SeqCst), 7);
    });
}

#[test]
fn a_handler_that_was_removed_is_not_called_and_the_default_is_back() {
    alone("signal::a_handler_that_was_removed_is_not_called_and_the_default_is_back", async {
        let calls = Arc::new(AtomicUsize::new(0));
        let counts = calls.clone();
        let count = move || {
            counts.fetch_add(1, Ordering::SeqCst);
        };
        let registration = on_signal(Kind::WINDOW_CHANGE, count).unwrap();
        let mut other = signal(Kind::WINDOW_CHANGE).unwrap();
        drop(registration);
        assert!(!is_default(libc::SIGWINCH), "somebody still listens");
        send(Sent::WINCH);
        other.recv().await;
        drop(other);
        assert!(is_default(libc::SIGWINCH));
        assert_eq!(calls.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_handler_that_panics_is_reported_and_called_again() {
    if !in_child("signal::a_handler_that_panics_is_reported_and_called_again") {
        return;
    }
    let (builder, reports) = Reports::collect(Runtime::builder().workers(2));
    let runtime = builder.build().unwrap();
    let _entered = runtime.handle().enter();
    let panics = || crate::rig::panic_on_purpose("in a handler");
    let (registration, line) = (on_signal(Kind::USER1, panics), line!());
    let count = || reports.all().len();
    for n in 1..=3 {
        send(Sent::USR1);
        eventually("it is reported", || count() == n);
    }
    for report in reports.all() {
        assert_eq!(report.kind, UnhandledKind::CallbackPanicked);
        let place = format!("signal.rs:{line}:");
        assert!(report.text.contains(&place), "{}", report.text);
    }
    drop(registration);
}

#[test]
fn handlers_need_a_runtime_and_streams_do_not() {
    if !in_child("signal::handlers_need_a_runtime_and_streams_do_not") {
        return;
    }
    assert!(on_signal(Kind::USER1, || ()).is_err());
    let mut heard = signal(Kind::USER1).unwrap();
    send(Sent::USR1);
    within_limit(move || runtime().block_on(async move { heard.recv().await }));
}

#[test]
fn everybody_who_listens_is_told_in_all_runtimes() {
    if !in_child("signal::everybody_who_listens_is_told_in_all_runtimes") {
        return;
    }
    within_limit(|| {
        let runtimes = [runtime(), runtime()];
        let mut tasks = Vec::new();
        for n in 0..20 {
            let mut heard = signal(Kind::USER2).unwrap();
            tasks.push(runtimes[n % 2].spawn(async move { heard.recv().await }));
        }
        send(Sent::USR2);
        tasks.into_iter().for_each(|task| task.wait().unwrap());
        assert!(is_default(libc::SIGUSR2), "the last one has gone");
    });
}

#[test]
fn signals_that_come_before_one_is_received_count_as_one_and_the_next_is_not_lost() {
    let name =
        "signal::signals_that_come_before_one_is_received_count_as_one_and_the_next_is_not_lost";
    alone(name, async {
        let mut heard = signal(Kind::USER1).unwrap();
        for round in 0..200 {
            (0..round % 4 + 1).for_each(|_| send(Sent::USR1));
            // Nobody has heard them before: at least one is told of, and that tells of all.
            heard.recv().await;
        }
        // A thread may still be in the handler.
        while timeout(50 * MS, heard.recv()).await.is_ok() {}
        send(Sent::USR1);
        heard.recv().await;
        assert!(timeout(50 * MS, heard.recv()).await.is_err(), "more than was sent");
    });
}

#[test]
fn a_flood_of_one_signal_hides_no_other() {
    alone("signal::a_flood_of_one_signal_hides_no_other", async {
        let (mut flood, mut other) =
            (signal(Kind::USER1).unwrap(), signal(Kind::TERMINATE).unwrap());
        let sender = thread::spawn(|| {
            (0..20_000).for_each(|_| send(Sent::USR1));
            send(Sent::TERM);
            (0..20_000).for_each(|_| send(Sent::USR1));
        });
        other.recv().await;
        flood.recv().await;
        sender.join().unwrap();
        // The last ones may still be on their way, and the default is to end the process.
        std::mem::forget(flood);
    });
}

#[test]
fn what_a_signal_interrupts_finds_errno_as_it_was() {
    if !in_child("signal::what_a_signal_interrupts_finds_errno_as_it_was") {
        return;
    }
    let heard = signal(Kind::USER1).unwrap();
    // What the handler does fails where nothing can be written.
    let unwritable = std::fs::File::open("/dev/null").unwrap();
    for descriptor in 3..64 {
        // SAFETY: it stays a descriptor, and in this process nobody relies on which one it is.
        unsafe { libc::dup2(unwritable.as_raw_fd(), descriptor) };
    }
    // SAFETY: a text that ends with a zero.
    let found = unsafe { libc::access(c"".as_ptr(), libc::F_OK) };
    // SAFETY: there are no pointers. The handler runs on this thread, before the call returns.
    unsafe { libc::raise(libc::SIGUSR1) };
    assert_eq!(io::Error::last_os_error().kind(), io::ErrorKind::NotFound);
    assert_eq!(found, -1);
    std::mem::forget(heard);
}

#[test]
fn a_signal_is_heard_while_every_worker_computes() {
    alone("signal::a_signal_is_heard_while_every_worker_computes", async {
        let mut heard = signal(Kind::HANGUP).unwrap();
        let stop = Gate::new();
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let stop = stop.clone();
                spawn(async move { while !stop.is_open() {} })
            })
            .collect();
        send(Sent::HUP);
        heard.recv().await;
        stop.open();
        for task in busy {
            task.await.unwrap();
        }
    });
}

#[test]
fn signals_that_cannot_be_caught_are_refused_by_name() {
    let refusal = |kind| signal(kind).unwrap_err();
    for (kind, name) in [(Kind::KILL, "SIGKILL"), (Kind::STOP, "SIGSTOP")] {
        let error = refusal(kind);
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(&format!("{name} cannot be listened for: ")));
    }
    for number in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL] {
        let before = handler(number);
        let error = refusal(Kind::from_raw(number).unwrap()).to_string();
        assert!(error.contains("a fault of the program"), "{error}");
        assert_eq!(handler(number), before);
    }
    for number in [-1, 0, 65, i32::MAX] {
        let error = Kind::from_raw(number).unwrap_err().to_string();
        assert_eq!(error, format!("signal number is {number}, but only 1 to 64 are signals"));
    }
    #[cfg(target_os = "linux")]
    {
        // The C library keeps this one for itself.
        let error = refusal(Kind::from_raw(32).unwrap()).to_string();
        assert!(error.starts_with("signal 32 cannot be listened for: "), "{error}");
    }
}

#[test]
fn what_was_done_about_a_signal_before_is_done_again() {
    if !in_child("signal::what_was_done_about_a_signal_before_is_done_again") {
        return;
    }
    set(libc::SIGHUP, libc::SIG_IGN);
    let first = signal(Kind::HANGUP).unwrap();
    let second = signal(Kind::HANGUP).unwrap();
    drop(first);
    assert!(![libc::SIG_IGN, libc::SIG_DFL].contains(&handler(libc::SIGHUP)));
    drop(second);
    assert_eq!(handler(libc::SIGHUP), libc::SIG_IGN);

    // Unless somebody else has come meanwhile.
    let third = signal(Kind::HANGUP).unwrap();
    set(libc::SIGHUP, libc::SIG_DFL);
    drop(third);
    assert!(is_default(libc::SIGHUP));

    // Whoever comes after that takes over again.
    let fourth = signal(Kind::HANGUP).unwrap();
    set(libc::SIGHUP, libc::SIG_IGN);
    let fifth = signal(Kind::HANGUP).unwrap();
    assert_ne!(handler(libc::SIGHUP), libc::SIG_IGN);
    drop((fourth, fifth));
    assert_eq!(handler(libc::SIGHUP), libc::SIG_IGN);
}

/// A waker that holds the thread which wakes, the first time.
struct Holds<F>(Mutex<Option<F>>);

impl<F: FnOnce() + Send + 'static> Wake for Holds<F> {
    fn wake(self: Arc<Self>) {
        let hold = self.0.lock().unwrap().take();
        hold.into_iter().for_each(|hold| hold());
    }
}

#[test]
fn a_handler_that_panics_when_it_is_dropped_keeps_nobody_from_hearing() {
    if !in_child("signal::a_handler_that_panics_when_it_is_dropped_keeps_nobody_from_hearing") {
        return;
    }
    within_limit(|| {
        let (hold, held) = holder();
        let waker = Waker::from(Arc::new(Holds(Mutex::new(Some(hold)))));
        let mut first = signal(Kind::USER1).unwrap();
        let polled = pin!(first.recv()).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        let mut other = signal(Kind::USER2).unwrap();
        let panics = PanicsWhenDropped("what a handler has");
        let registration = runtime().block_on(async move {
            on_signal(Kind::USER1, move || {
                let _ = &panics;
            })
        });
        send(Sent::USR1);
        held.wait();
        // Whoever tells of the signal has the handler in hand, and is the last to drop it.
        drop(registration.unwrap());
        held.release();
        for _ in 0..3 {
            send(Sent::USR2);
            runtime().block_on(other.recv());
        }
    });
}

// AT-SIG-05
#[test]
fn a_handler_whose_runtime_has_ended_is_not_called_and_goes_with_its_registration() {
    let name =
        "signal::a_handler_whose_runtime_has_ended_is_not_called_and_goes_with_its_registration";
    if !in_child(name) {
        return;
    }
    within_limit(|| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counts = calls.clone();
        let registration = runtime().block_on(async move {
            on_signal(Kind::USER1, move || {
                counts.fetch_add(1, Ordering::SeqCst);
            })
        });
        let registration = registration.unwrap();
        let mut other = signal(Kind::USER2).unwrap();
        assert!(!is_default(libc::SIGUSR1), "this process does not end by it");
        for _ in 0..10 {
            send(Sent::USR1);
            send(Sent::USR2);
            // Signals are told of in one go: whoever listens elsewhere is told as ever.
            runtime().block_on(other.recv());
        }
        assert_eq!((calls.load(Ordering::SeqCst), Arc::strong_count(&calls)), (0, 2));
        drop(registration);
        assert!(is_default(libc::SIGUSR1));
        eventually("the function is dropped", || Arc::strong_count(&calls) == 1);
    });
}

// AT-SIG-05
#[test]
fn a_child_begins_without_the_handlers_of_its_parent() {
    alone("signal::a_child_begins_without_the_handlers_of_its_parent", async {
        let mut hangups = signal(Kind::HANGUP).unwrap();
        let _registration = on_signal(Kind::TERMINATE, || ()).unwrap();
        for (kind, line) in
            [(Kind::HANGUP, "kill -HUP $$; exit 3"), (Kind::TERMINATE, "kill $$; exit 3")]
        {
            let status = weftline::process::Command::shell(line).status().await.unwrap();
            assert_eq!(status.signal(), Some(kind.as_raw()), "{status}");
        }
        assert!(!has_heard(&mut hangups).await);
    });
}

#[test]
fn ctrl_c_is_listened_for_from_the_call_on_until_the_future_is_gone() {
    alone("signal::ctrl_c_is_listened_for_from_the_call_on_until_the_future_is_gone", async {
        set(libc::SIGINT, libc::SIG_DFL);
        let next = ctrl_c();
        send(Sent::INT);
        next.await.unwrap();
        assert!(is_default(libc::SIGINT));

        let unheard = ctrl_c();
        assert!(!is_default(libc::SIGINT));
        assert!(timeout(MS, unheard).await.is_err());
        assert!(is_default(libc::SIGINT));
    });
}

/// A main future that Ctrl-C cancels, as on the program's main thread.
fn interrupted(main: impl Future<Output = ()>) -> Result<(), RunError> {
    set(libc::SIGINT, libc::SIG_DFL);
    Runtime::builder().workers(2).cancel_on_ctrl_c(true).try_run(main)
}

#[test]
fn who_listens_for_ctrl_c_keeps_it_from_main_until_they_stop() {
    if !in_child("signal::who_listens_for_ctrl_c_keeps_it_from_main_until_they_stop") {
        return;
    }
    let mut heard = 0;
    let result = interrupted(async {
        for _ in 0..3 {
            let next = ctrl_c();
            send(Sent::INT);
            next.await.unwrap();
            heard += 1;
        }
        let other = signal(Kind::INTERRUPT).unwrap();
        yield_now().await;
        drop(other);
        // Now it is main's again.
        send(Sent::INT);
        pending::<()>().await;
    });
    assert_eq!(heard, 3);
    assert!(matches!(result, Err(RunError::Interrupted)), "{result:?}");
    assert!(is_default(libc::SIGINT));
}

#[test]
fn who_listens_before_a_runtime_begins_goes_first_as_well() {
    if !in_child("signal::who_listens_before_a_runtime_begins_goes_first_as_well") {
        return;
    }
    set(libc::SIGINT, libc::SIG_DFL);
    let mut listens = signal(Kind::INTERRUPT).unwrap();
    let builder = Runtime::builder().workers(2).cancel_on_ctrl_c(true);
    let result = builder.try_run(async {
        send(Sent::INT);
        listens.recv().await;
        drop(listens);
        send(Sent::INT);
        pending::<()>().await;
    });
    assert!(matches!(result, Err(RunError::Interrupted)), "{result:?}");
    assert!(is_default(libc::SIGINT));
}

#[test]
fn a_second_ctrl_c_ends_a_program_that_listened_for_the_first() {
    let name = "signal::a_second_ctrl_c_ends_a_program_that_listened_for_the_first";
    if !is_child() {
        let output = child(name).output().unwrap();
        assert_eq!(output.status.signal(), Some(libc::SIGINT), "{}", output.status);
        let out = String::from_utf8_lossy(&output.stdout);
        assert!(out.contains("asked") && out.contains("main is clean"), "{out}");
        return;
    }
    set(libc::SIGINT, libc::SIG_DFL);
    let main = async {
        let next = ctrl_c();
        send(Sent::INT);
        next.await.unwrap();
        println!("asked");
        send(Sent::INT);
        pending::<()>().await;
    };
    let main = finally(main, async { println!("main is clean") });
    let _ = Runtime::builder().cancel_on_ctrl_c(true).run(main);
}

// AT-SIG-03
#[test]
fn a_forked_process_does_not_tell_the_parent_of_its_signals() {
    alone("signal::a_forked_process_does_not_tell_the_parent_of_its_signals", async {
        let mut terminate = signal(Kind::TERMINATE).unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let counts = calls.clone();
        let count = move || {
            counts.fetch_add(1, Ordering::SeqCst);
        };
        let _registration = on_signal(Kind::TERMINATE, count).unwrap();
        let (mut ready, tells) = std::os::unix::net::UnixStream::pair().unwrap();
        // SAFETY: the child calls nothing but what may be called after a fork.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "the system refuses to fork");
        if child == 0 {
            let fd = std::os::fd::AsRawFd::as_raw_fd(&tells);
            // SAFETY: one byte that is alive.
            unsafe { libc::write(fd, [1_u8].as_ptr().cast(), 1) };
            loop {
                // SAFETY: waits for a signal.
                unsafe { libc::pause() };
            }
        }
        let ended = weftline::spawn_blocking(move || {
            io::Read::read_exact(&mut ready, &mut [0]).unwrap();
            // SAFETY: a signal to the child just made.
            unsafe { libc::kill(child, libc::SIGTERM) };
            let mut status = 0;
            // SAFETY: waits for the child just made; `status` is writable.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            status
        });
        let status = ended.await.unwrap();
        assert_eq!(libc::WTERMSIG(status), libc::SIGTERM, "the child ends as by default");
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        assert!(!has_heard(&mut terminate).await);
        // The parent goes on to hear its own.
        send(Sent::TERM);
        timeout(LONG, terminate.recv()).await.unwrap();
    });
}

// AT-SIG-05
#[test]
fn a_forked_process_may_listen_for_itself() {
    if !in_child("signal::a_forked_process_may_listen_for_itself") {
        return;
    }
    let inherited = signal(Kind::TERMINATE).unwrap();
    // SAFETY: no other thread has a lock that the forked process needs: that for signals sleeps.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "the system refuses to fork");
    if child == 0 {
        let heard = std::panic::catch_unwind(|| {
            // What the parent listened for is none of its business.
            drop(inherited);
            runtime().block_on(async {
                let mut terminate = signal(Kind::TERMINATE).unwrap();
                send(Sent::TERM);
                timeout(LONG / 2, terminate.recv()).await.unwrap();
            });
            assert!(is_default(libc::SIGTERM));
        });
        // SAFETY: ends this process without running what belongs to the parent.
        unsafe { libc::_exit(i32::from(heard.is_err())) }
    }
    let mut status = 0;
    // SAFETY: waits for the process just made; `status` is writable.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "it hears its own");
    let mut inherited = inherited;
    within_limit(move || {
        runtime().block_on(async move {
            assert!(!has_heard(&mut inherited).await);
            send(Sent::TERM);
            inherited.recv().await;
        });
    });
}
