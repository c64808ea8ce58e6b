//! [`OnceCell`]: a value that is made once, by whoever needs it first. Next: `line/`, by which those
//! who need it wait for each other.

use super::line::Line;
use crate::platform::const_unless_model;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::sync::OnceLock;

/// A value that is made once, asynchronously, when it is first needed.
///
/// # Guarantees
///
/// - The value is made by one at a time; the others wait for it.
/// - If making it fails, panics, or is dropped half way, the next one who waits tries.
/// - Reading a value that is there is one atomic load.
/// - Bound to no runtime.
///
/// Whoever asks for the value while making it waits for itself.
///
/// # Examples
///
/// ```
/// use weftline::sync::OnceCell;
///
/// static CONFIG: OnceCell<String> = OnceCell::new();
///
/// async fn config() -> &'static str {
///     CONFIG.get_or_init(|| async { String::from("read from somewhere slow") }).await
/// }
///
/// weftline::run(async {
///     assert_eq!(config().await, "read from somewhere slow");
///     assert!(CONFIG.get().is_some());
/// });
/// ```
pub struct OnceCell<T> {
    /// The value, once it is there.
    value: OnceLock<T>,
    /// Its one permit is the right to make the value; closed when that is there.
    line: Line,
}

/// The right to make the value. Dropped, it goes to the next one.
struct Maker<'a, T> {
    /// The value of which.
    cell: &'a OnceCell<T>,
}

impl<T> OnceCell<T> {
    const_unless_model! {
        /// A cell without a value. It allocates nothing, and can be a `static`.
        pub fn new() -> Self {
            Self { value: OnceLock::new(), line: Line::new(1) }
        }
    }

    /// The value, if it is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.get(), None);
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// Whether the value is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert!(!cell.initialized());
    /// cell.set(1).unwrap();
    /// assert!(cell.initialized());
    /// ```
    #[must_use]
    pub fn initialized(&self) -> bool {
        self.get().is_some()
    }

    /// The value, if it is there, to be changed: nobody else can reach it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// The value, if it is there.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Takes the value out, if it is there: the cell is as new.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::OnceCell;
    ///
    /// let mut cell = OnceCell::from(1);
    /// *cell.get_mut().unwrap() += 1;
    /// assert_eq!(cell.take(), Some(2));
    /// assert_eq!(cell.into_inner(), None);
    /// ```
    pub fn take(&mut self) -> Option<T> {
        std::mem::take(self).into_inner()
    }

    /// Gives the cell its value.
    ///
    /// # Errors
    ///
    /// The value comes back if there is one already, or somebody is about to make one.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// ```
    pub fn set(&self, value: T) -> Result<(), T> {
        if self.line.try_acquire(1) {
            Maker { cell: self }.set(value);
            Ok(())
        } else {
            Err(value)
        }
    }

    /// The value; makes it if it is not there, or waits for whoever makes it.
    ///
    /// # Cancel safety
    ///
    /// Dropped half way, `init` is dropped too, and the next one who waits makes the value.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::OnceCell;
    ///
    /// weftline::run(async {
    ///     let cell = OnceCell::new();
    ///     assert_eq!(*cell.get_or_init(|| async { 1 }).await, 1);
    ///     assert_eq!(*cell.get_or_init(|| async { 2 }).await, 1);
    /// });
    /// ```
    pub async fn get_or_init<F, Fut>(&self, init: F) -> &T
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        match self.get_or_try_init(|| async { Ok::<T, Infallible>(init().await) }).await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_init`](Self::get_or_init), for a value whose making may fail.
    ///
    /// # Errors
    ///
    /// That of `init`. The cell stays without a value, and the next one who waits tries.
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::OnceCell;
    ///
    /// weftline::run(async {
    ///     let cell = OnceCell::new();
    ///     let error = cell.get_or_try_init(|| async { "x".parse::<u32>() }).await;
    ///     assert!(error.is_err());
    ///     assert_eq!(cell.get_or_try_init(|| async { "1".parse::<u32>() }).await, Ok(&1));
    /// });
    /// ```
    pub async fn get_or_try_init<E, F, Fut>(&self, init: F) -> Result<&T, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        if self.line.acquire(1).await.is_ok() {
            let maker = Maker { cell: self };
            let value = init().await?;
            maker.set(value);
        }
        Ok(self.made())
    }

    /// As [`get_or_init`](Self::get_or_init), and blocks the calling thread if somebody else makes the
    /// value. For plain threads: on a worker it keeps the worker from running anything else, whoever
    /// makes the value perhaps included.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::OnceCell;
    ///
    /// static SUM: OnceCell<u64> = OnceCell::new();
    /// assert_eq!(*SUM.get_or_init_blocking(|| (1..=10).sum()), 55);
    /// ```
    pub fn get_or_init_blocking(&self, init: impl FnOnce() -> T) -> &T {
        match self.get_or_try_init_blocking(|| Ok::<T, Infallible>(init())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_init_blocking`](Self::get_or_init_blocking), for a value whose making may fail.
    ///
    /// # Errors
    ///
    /// That of `init`. The cell stays without a value, and the next one who waits tries.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// assert!(cell.get_or_try_init_blocking(|| "x".parse::<u32>()).is_err());
    /// assert_eq!(cell.get_or_try_init_blocking(|| "1".parse::<u32>()), Ok(&1));
    /// ```
    pub fn get_or_try_init_blocking<E>(
        &self,
        init: impl FnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        if self.line.acquire_blocking(1).is_ok() {
            let maker = Maker { cell: self };
            let value = init()?;
            maker.set(value);
        }
        Ok(self.made())
    }

    /// The value, where the line has been closed.
    fn made(&self) -> &T {
        self.get().expect("the line is closed once the value is there")
    }
}

impl<T> Maker<'_, T> {
    fn set(self, value: T) {
        let cell = self.cell;
        std::mem::forget(self);
        let set = cell.value.set(value);
        debug_assert!(set.is_ok(), "who has the permit is the only one who sets");
        cell.line.close();
    }
}

impl<T> Drop for Maker<'_, T> {
    fn drop(&mut self) {
        self.cell.line.release(1);
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        let cell = Self::new();
        let set = cell.set(value);
        debug_assert!(set.is_ok(), "it is new");
        cell
    }
}

impl<T: Clone> Clone for OnceCell<T> {
    fn clone(&self) -> Self {
        self.get().cloned().map_or_else(Self::new, Self::from)
    }
}

impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnceCell").field(&self.get()).finish()
    }
}
