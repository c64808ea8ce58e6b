//! [`LocalKey`]: one task-local variable.

use super::map::{KeyId, Value};
use super::{Context, Scoped, place};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Declares task-local variables, each a static [`LocalKey`].
///
/// A default after `=` is what the variable is where it was never set. It is made once for the
/// whole program, when it is first asked for.
///
/// # Examples
///
/// ```
/// weftline::task_local! {
///     /// On whose behalf this runs.
///     pub static USER: String;
///     static RETRIES: u32 = 3;
/// }
///
/// weftline::run(async {
///     USER.set(String::from("ada"));
///     // A task begins with a copy of what its spawner has.
///     let task = weftline::spawn(async {
///         RETRIES.set(5);
///         USER.with(|user| format!("{user}, {} retries", RETRIES.get()))
///     });
///     assert_eq!(task.await.unwrap(), "ada, 5 retries");
///     // What it changes is its own.
///     assert_eq!(RETRIES.get(), 3);
/// });
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty = $default:expr $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $vis static $name: $crate::context::LocalKey<$type> = {
            fn default() -> $type {
                $default
            }
            $crate::context::LocalKey::__new(::core::stringify!($name), ::core::option::Option::Some(default))
        };
        $($crate::task_local! { $($rest)* })?
    };
    ($(#[$attribute:meta])* $vis:vis static $name:ident: $type:ty $(; $($rest:tt)*)?) => {
        $(#[$attribute])*
        $vis static $name: $crate::context::LocalKey<$type> =
            $crate::context::LocalKey::__new(::core::stringify!($name), ::core::option::Option::None);
        $($crate::task_local! { $($rest)* })?
    };
}

/// A variable whose value belongs to the task that reads it; declared by
/// [`task_local!`](crate::task_local).
///
/// Outside of a task it belongs to the thread.
pub struct LocalKey<T: 'static> {
    /// What it is called.
    name: &'static str,
    /// Makes the default.
    default: Option<fn() -> T>,
    /// The default, once it was asked for.
    made: OnceLock<T>,
}

impl<T: Send + Sync + 'static> LocalKey<T> {
    #[doc(hidden)]
    #[must_use]
    pub const fn __new(name: &'static str, default: Option<fn() -> T>) -> Self {
        Self { name, default, made: OnceLock::new() }
    }

    pub(super) fn id(&'static self) -> KeyId {
        KeyId { address: std::ptr::from_ref(self).addr(), name: self.name }
    }

    /// The default, if there is one.
    pub(super) fn default(&'static self) -> Option<&'static T> {
        self.default.map(|make| self.made.get_or_init(make))
    }

    /// The value in the current context.
    fn value(&'static self) -> Option<Arc<T>> {
        place::get(self.id()).map(typed)
    }

    /// Lends the value.
    ///
    /// `read` may set the variable, and goes on with the value that it was lent.
    ///
    /// # Panics
    ///
    /// If the variable is not set here and has no default; see [`try_with`](Self::try_with).
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::task_local! { static PATH: Vec<&'static str>; }
    ///
    /// weftline::run(PATH.scope(vec!["a", "b"], async {
    ///     assert_eq!(PATH.with(|path| path.join("/")), "a/b");
    /// }));
    /// ```
    #[track_caller]
    pub fn with<R>(&'static self, read: impl FnOnce(&T) -> R) -> R {
        match self.try_with(read) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Lends the value.
    ///
    /// # Errors
    ///
    /// [`NotSet`] if the variable is not set here and has no default.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::task_local! { static USER: String; }
    ///
    /// weftline::run(async {
    ///     let error = USER.try_with(String::len).unwrap_err();
    ///     assert_eq!(error.to_string(), "the task-local `USER` is not set here, and has no default");
    /// });
    /// ```
    pub fn try_with<R>(&'static self, read: impl FnOnce(&T) -> R) -> Result<R, NotSet> {
        if let Some(value) = self.value() {
            return Ok(read(&value));
        }
        match self.default() {
            Some(value) => Ok(read(value)),
            None => Err(NotSet { name: self.name }),
        }
    }

    /// A clone of the value.
    ///
    /// # Panics
    ///
    /// If the variable is not set here and has no default.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::task_local! { static DEPTH: u32 = 0; }
    ///
    /// weftline::run(async { assert_eq!(DEPTH.get(), 0) });
    /// ```
    #[must_use]
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }

    /// Gives the variable a value from here on: for the current task alone, and for those that it
    /// spawns from now on. Outside of a task: for the thread.
    ///
    /// Returns what was there before, which can be [restored](Previous::restore).
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::task_local! { static DEPTH: u32 = 0; }
    ///
    /// weftline::run(async {
    ///     let before = DEPTH.set(1);
    ///     assert_eq!(DEPTH.get(), 1);
    ///     before.restore();
    ///     assert_eq!(DEPTH.get(), 0);
    /// });
    /// ```
    pub fn set(&'static self, value: T) -> Previous<T> {
        let value: Value = Arc::new(value);
        Previous { key: self, value: place::set(self.id(), Some(value)).map(typed) }
    }

    /// A future that runs in a copy of the current context in which the variable has this value.
    /// As [`Context::scope`]; what it sets is forgotten when it ends.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::task_local! { static USER: &'static str = "nobody"; }
    ///
    /// weftline::run(async {
    ///     assert_eq!(USER.scope("ada", async { USER.get() }).await, "ada");
    ///     assert_eq!(USER.get(), "nobody");
    /// });
    /// ```
    pub fn scope<F>(&'static self, value: T, future: F) -> Scoped<F> {
        Context::current().with(self, value).scope(future)
    }

    /// Calls a function in a copy of the current context in which the variable has this value.
    /// As [`Context::run`].
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::task_local! { static USER: &'static str = "nobody"; }
    ///
    /// assert_eq!(USER.sync_scope("ada", || USER.get()), "ada");
    /// assert_eq!(USER.get(), "nobody");
    /// ```
    pub fn sync_scope<R>(&'static self, value: T, call: impl FnOnce() -> R) -> R {
        Context::current().with(self, value).run(call)
    }
}

/// Values are found by the address of their key, so that the type is the key's.
pub(super) fn typed<T: Send + Sync + 'static>(value: Value) -> Arc<T> {
    value.downcast().unwrap_or_else(|_| unreachable!("a key has one type"))
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalKey").field(&self.name).finish()
    }
}

/// What a variable was before [`LocalKey::set`]; dropping it forgets that.
pub struct Previous<T: 'static> {
    /// Which variable.
    key: &'static LocalKey<T>,
    /// Its value; `None`: it was not set.
    value: Option<Arc<T>>,
}

impl<T: Send + Sync + 'static> Previous<T> {
    /// The value; `None` where the variable was not set.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::task_local! { static DEPTH: u32; }
    ///
    /// weftline::run(async {
    ///     assert_eq!(DEPTH.set(1).value(), None);
    ///     assert_eq!(DEPTH.set(2).value(), Some(&1));
    /// });
    /// ```
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        self.value.as_deref()
    }

    /// Makes the variable again what it was, in the current context.
    ///
    /// # Examples
    ///
    /// ```
    /// weftline::task_local! { static DEPTH: u32; }
    ///
    /// weftline::run(async {
    ///     DEPTH.set(1).restore();
    ///     assert!(DEPTH.try_with(|_| ()).is_err());
    /// });
    /// ```
    pub fn restore(self) {
        drop(place::set(self.key.id(), self.value.map(|value| value as Value)));
    }
}

impl<T: fmt::Debug> fmt::Debug for Previous<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Previous").field("key", &self.key).field("value", &self.value).finish()
    }
}

/// A variable is not set, and has no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSet {
    /// The variable.
    name: &'static str,
}

impl fmt::Display for NotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task-local `{}` is not set here, and has no default", self.name)
    }
}

impl std::error::Error for NotSet {}
