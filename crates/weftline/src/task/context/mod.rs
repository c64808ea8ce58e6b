//! Task-local variables, and contexts: all their values at one place of the program.
//!
//! A variable is declared by [`task_local!`](crate::task_local). Each task has a context, which
//! holds what the variables are for it: it begins as a copy of its spawner's, and what the task
//! [sets](LocalKey::set) is its own. So a value set once, such as on whose behalf a request is
//! served, is known to all that is done for it, on whatever worker, in blocking jobs and callbacks
//! too, and to nothing else. As asyncio's context variables.
//!
//! # Guarantees
//!
//! - A task begins with what its spawner has when it spawns it: [`spawn`](crate::spawn) and its
//!   siblings, eager tasks and blocking jobs, and callbacks where they are registered.
//! - What a task sets is seen by itself, and by the tasks that it spawns after that; by no other.
//! - The main future of [`run`](crate::run) and `block_on` has a copy of what is set where that was called.
//! - What is called about a panic that nobody reads sees the values of the task that panicked.
//! - A value is dropped once: with the last context that has it. A task's context goes together
//!   with its output: when that is taken or dropped.
//!
//! # Behaviour today
//!
//! Copies of a context share one list until one of them changes; then it is copied. Where nothing
//! was ever set, spawning and polling a task cost nothing more; else spawning costs a counter and
//! a small allocation. Reading a variable takes a lock that nobody else wants, and a counter.
//!
//! Inside: `map.rs` is the list, `place.rs` knows where the current context is.

mod key;
mod map;
mod place;
mod scoped;

pub use key::{LocalKey, NotSet, Previous};
pub(crate) use place::Entered;
pub use scoped::Scoped;

use map::{KeyId, Map, Value};
use std::fmt;
use std::sync::Arc;

/// The values of all task-local variables at one place of the program; a value itself, which
/// nothing changes behind one's back. Cheap to clone.
///
/// # Examples
///
/// ```
/// use weftline::context::Context;
///
/// weftline::task_local! { static USER: &'static str = "nobody"; }
///
/// weftline::run(async {
///     USER.set("ada");
///     let adas = Context::current();
///     USER.set("grace");
///     // Elsewhere, later, on whatever thread:
///     assert_eq!(adas.run(|| USER.get()), "ada");
///     assert_eq!(adas.clone().scope(async { USER.get() }).await, "ada");
///     let task = weftline::task::Builder::new().context(adas).spawn(async { USER.get() });
///     assert_eq!(task.await.unwrap(), "ada");
/// });
/// ```
#[derive(Clone, Default)]
pub struct Context {
    /// The values; `None`: no variable is set.
    map: Option<Arc<Map>>,
}

impl Context {
    /// One in which nothing is set.
    pub(crate) const EMPTY: Self = Self { map: None };

    /// A context in which no variable is set.
    #[must_use]
    pub const fn new() -> Self {
        Self::EMPTY
    }

    /// A copy of the context that this code runs in.
    #[must_use]
    #[inline]
    pub fn current() -> Self {
        place::snapshot()
    }

    /// The same context with another value for one variable.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::context::Context;
    ///
    /// weftline::task_local! { static USER: &'static str; }
    ///
    /// let context = Context::new().with(&USER, "ada");
    /// assert_eq!(context.get(&USER), Some(&"ada"));
    /// ```
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(mut self, key: &'static LocalKey<T>, value: T) -> Self {
        drop(self.put(key.id(), Some(Arc::new(value))));
        self
    }

    /// The value of a variable in this context, or else its default.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self, key: &'static LocalKey<T>) -> Option<&T> {
        match self.value(key.id()) {
            Some(value) => value.downcast_ref(),
            None => key.default(),
        }
    }

    /// Whether no variable is set in it.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.map.is_none()
    }

    /// Calls a function in a copy of this context. What it sets is forgotten when it returns.
    pub fn run<R>(&self, call: impl FnOnce() -> R) -> R {
        let mut context = self.clone();
        let _entered = place::Entered::enter(&mut context);
        call()
    }

    /// A future that runs in this context, on top of whatever polls it. What it sets is kept for
    /// it from poll to poll, and forgotten when it ends.
    ///
    /// # Cancel safety
    ///
    /// As the future; it is dropped in the context, too.
    pub fn scope<F>(self, future: F) -> Scoped<F> {
        Scoped::new(self, future)
    }

    fn value(&self, key: KeyId) -> Option<&Value> {
        self.map.as_ref()?.get(key)
    }

    /// Gives a variable a value, or none; hands out the one it had. Drops no value.
    fn put(&mut self, key: KeyId, value: Option<Value>) -> Option<Value> {
        match (&mut self.map, value) {
            (Some(map), Some(value)) => Arc::make_mut(map).insert(key, value),
            (map @ None, Some(value)) => {
                *map = Some(Arc::new(Map::of_one(key, value)));
                None
            }
            (Some(map), None) => {
                let old = map.get(key)?.clone();
                if map.len() == 1 {
                    self.map = None;
                } else {
                    Arc::make_mut(map).remove(key);
                }
                Some(old)
            }
            (None, None) => None,
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.map {
            Some(map) => f.debug_tuple("Context").field(map).finish(),
            None => f.write_str("Context({})"),
        }
    }
}
