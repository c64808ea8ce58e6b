//! Which pool the calling thread is in.
//!
//! The runtime around a thread decides, the innermost if there are several:
//!
//! | the calling thread | its pool |
//! |---|---|
//! | a thread of a pool | that pool |
//! | in a Weftline runtime that others have built, as a worker or beside them | that runtime |
//! | in no runtime | the global pool, which the call is moved to |

use crate::builder::ThreadPoolBuilder;
use crate::error::ThreadPoolBuildError;
use crate::locked;
use crate::pool::Registry;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use weftline::Handle;
use weftline::foundation::{self, is_outermost, runtime_here};

thread_local! {
    /// The pool that this thread is of.
    static MEMBER: RefCell<Option<Rc<Member>>> = const { RefCell::new(None) };
    /// The runtime of others that this thread was in last, by its key.
    static GUEST: RefCell<(usize, Weak<Registry>)> = const { RefCell::new((0, Weak::new())) };
    /// What the first worker of a runtime of others keeps, so that it is there as long as that thread.
    static KEPT: RefCell<Option<Arc<Registry>>> = const { RefCell::new(None) };
    /// How many levels of forks more this thread puts up without being asked.
    static LEVELS: Cell<u32> = const { Cell::new(0) };
    /// Its address tells this thread from others.
    static MARK: u8 = const { 0 };
}

/// The pool for threads in no runtime.
static GLOBAL: OnceLock<Arc<Registry>> = OnceLock::new();
/// One builds it at a time.
static BUILDING: Mutex<()> = Mutex::new(());
/// The runtimes of others that rayon was called in, and those of pools, by their keys. No registry is let
/// go of under this lock, since that may call what users have written.
static GUESTS: Mutex<Vec<(usize, Weak<Registry>)>> = Mutex::new(Vec::new());

/// A thread of a pool.
pub(crate) struct Member {
    pub(crate) registry: Arc<Registry>,
    pub(crate) index: usize,
}

/// Where the calling thread is.
pub(crate) enum Place {
    /// In a pool, as the thread with that index, if it is one of its threads.
    In(Arc<Registry>, Option<usize>),
    /// In none.
    Outside,
}

/// What a fork has to know of the place where it is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// A thread of a pool that has others, where one of its forks is to be put up.
    Pool,
    /// Enough forks are put up, in a runtime of others, or alone: nothing more is to be done.
    Plain,
    /// In no runtime.
    Outside,
}

/// A number for the calling thread.
pub(crate) fn thread_mark() -> usize {
    MARK.try_with(|mark| std::ptr::from_ref(mark).addr()).unwrap_or(0)
}

/// The thread of a pool that the calling thread is, unless it is inside of another runtime now.
pub(crate) fn member() -> Option<Rc<Member>> {
    let member = first_member()?;
    let here = runtime_here();
    (here == member.registry.key() || here == 0).then_some(member)
}

/// The thread of a pool that the calling thread is, also before that pool's runtime is known.
pub(crate) fn first_member() -> Option<Rc<Member>> {
    MEMBER.try_with(|member| member.borrow().clone()).ok().flatten()
}

/// The calling thread is of that pool from now on, or of none.
pub(crate) fn set_member(member: Option<Rc<Member>>) {
    LEVELS.set(member.as_ref().map_or(0, |member| member.registry.levels()));
    let before = MEMBER.try_with(|own| own.replace(member));
    drop(before);
}

/// How many levels of forks more the calling thread puts up without being asked.
pub(crate) fn levels() -> u32 {
    LEVELS.get()
}

/// The same for a job that the calling thread has just begun.
pub(crate) fn all_levels() -> u32 {
    first_member().map_or(0, |member| member.registry.levels())
}

/// Calls `call` with that many levels.
pub(crate) fn with_levels<R>(levels: u32, call: impl FnOnce() -> R) -> R {
    /// Sets the number again that was there, also where `call` unwinds.
    struct Before(u32);
    impl Drop for Before {
        fn drop(&mut self) {
            LEVELS.set(self.0);
        }
    }
    let _before = Before(LEVELS.replace(levels));
    call()
}

/// Whether fewer forks are put up in the calling thread's pool than others might take.
#[inline]
fn has_room() -> bool {
    let of = |member: &Rc<Member>| member.registry.has_room_for_forks();
    MEMBER.try_with(|member| member.borrow().as_ref().is_some_and(of)).unwrap_or(false)
}

/// What the calling thread forks on.
#[inline]
pub(crate) fn ground() -> Ground {
    if !is_outermost() && LEVELS.get() == 0 && !has_room() {
        return Ground::Plain;
    }
    match member() {
        Some(member) if member.registry.num_threads() > 1 => Ground::Pool,
        Some(_) => Ground::Plain,
        None if runtime_here() != 0 => Ground::Plain,
        None => Ground::Outside,
    }
}

/// Where the calling thread is.
pub(crate) fn here() -> Place {
    if let Some(member) = member() {
        return Place::In(member.registry.clone(), Some(member.index));
    }
    match runtime_here() {
        0 => Place::Outside,
        key => {
            let registry = guest(key);
            let index = registry.is_guest().then(|| registry.worker_index()).flatten();
            Place::In(registry, index)
        }
    }
}

/// The index of the calling thread in that pool, if it is one of its threads.
pub(crate) fn index_in(registry: &Arc<Registry>) -> Option<usize> {
    match here() {
        Place::In(own, index) if Arc::ptr_eq(&own, registry) => index,
        _ => None,
    }
}

/// The registry of the runtime around the calling thread, which has that key.
fn guest(key: usize) -> Arc<Registry> {
    let known = |guest: &RefCell<(usize, Weak<Registry>)>| {
        let guest = guest.borrow();
        if guest.0 == key { guest.1.upgrade() } else { None }
    };
    // While a registry is there so is its runtime, and no other has that key.
    if let Some(known) = GUEST.try_with(known).ok().flatten() {
        return known;
    }
    let (registry, is_new) = known_or_new(key);
    if is_new && !registry.is_played() {
        let kept = registry.clone();
        // A thread that ends keeps nothing.
        let keep = move || drop(KEPT.try_with(|own| own.replace(Some(kept))));
        foundation::post_to(&Handle::current(), 0, keep);
    }
    let _ = GUEST.try_with(|guest| guest.replace((key, Arc::downgrade(&registry))));
    registry
}

/// The registry of the runtime around the calling thread, which has that key, and whether it is new.
fn known_or_new(key: usize) -> (Arc<Registry>, bool) {
    let mut guests = locked(&GUESTS);
    guests.retain(|(_, guest)| guest.strong_count() > 0);
    let found = guests.iter().find_map(|(own, guest)| (*own == key).then(|| guest.upgrade())?);
    let is_new = found.is_none();
    let registry = found.unwrap_or_else(|| {
        let registry = Registry::of_runtime(Handle::current());
        guests.push((key, Arc::downgrade(&registry)));
        registry
    });
    (registry, is_new)
}

/// Adds a pool to the runtimes that are known, for its threads that are no members.
pub(crate) fn make_known(registry: &Arc<Registry>) {
    locked(&GUESTS).push((registry.key(), Arc::downgrade(registry)));
}

/// The pool for threads in no runtime; it is built when it is needed first.
///
/// # Panics
///
/// If the system refuses it.
pub(crate) fn global() -> &'static Arc<Registry> {
    if GLOBAL.get().is_none() {
        // Somebody else may have been first.
        if let Err(error) = build_global(|| ThreadPoolBuilder::new().into_registry()) {
            assert!(GLOBAL.get().is_some(), "the global thread pool cannot be built: {error}");
        }
    }
    GLOBAL.get().expect("it is built, or there was a panic")
}

/// That pool, if it was built.
pub(crate) fn built_global() -> Option<&'static Registry> {
    GLOBAL.get().map(AsRef::as_ref)
}

/// Builds that pool, unless there is one.
pub(crate) fn build_global(
    build: impl FnOnce() -> Result<Arc<Registry>, ThreadPoolBuildError>,
) -> Result<&'static Arc<Registry>, ThreadPoolBuildError> {
    let _building = locked(&BUILDING);
    if GLOBAL.get().is_some() {
        return Err(ThreadPoolBuildError::already_initialized());
    }
    let registry = build()?;
    Ok(GLOBAL.get_or_init(|| registry))
}

/// The pool of the calling thread, or else the global one.
pub(crate) fn current() -> Arc<Registry> {
    match here() {
        Place::In(registry, _) => registry,
        Place::Outside => global().clone(),
    }
}
