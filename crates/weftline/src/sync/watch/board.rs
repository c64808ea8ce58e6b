//! What senders and receivers share: the value, how often it has changed, and who waits for what.

use crate::platform::{Mutex, RwLock, RwLockReadGuard};
use crate::sync::audience::Audience;
use crate::sync::counted::CountsSenders;
use std::fmt;
use std::ops::Deref;

/// The shared part of a channel.
pub(super) struct Board<T> {
    /// The value and its version.
    posted: RwLock<Posted<T>>,
    /// Who is there.
    present: Mutex<Present>,
    /// Receivers that wait for a change.
    pub(super) watchers: Audience,
    /// Senders that wait until nobody watches.
    pub(super) until_left: Audience,
}

/// The value, and how often it was changed.
struct Posted<T> {
    /// The latest value.
    value: T,
    /// One more with each change.
    version: Version,
}

/// How many there are of each kind.
struct Present {
    /// Senders.
    senders: usize,
    /// Receivers.
    receivers: usize,
}

/// How often a value was changed when somebody saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version(u64);

impl Version {
    /// One that no value has that was seen at `self`.
    pub(super) fn before(self) -> Self {
        Self(self.0.wrapping_sub(1))
    }
}

impl<T> Board<T> {
    /// With one sender and one receiver, whose handles the caller makes.
    pub(super) fn new(value: T) -> Self {
        Self {
            posted: RwLock::new(Posted { value, version: Version(0) }),
            present: Mutex::new(Present { senders: 1, receivers: 1 }),
            watchers: Audience::new(),
            until_left: Audience::new(),
        }
    }

    /// The latest value; who has seen `seen` learns whether it has changed since.
    pub(super) fn look(&self, seen: Option<Version>) -> Ref<'_, T> {
        let posted = self.posted.read();
        let has_changed = seen.is_some_and(|seen| seen != posted.version);
        Ref { posted, has_changed }
    }

    /// The version of the latest value.
    pub(super) fn version(&self) -> Version {
        self.posted.read().version
    }

    /// Changes the value; where `change` says so, that is a new version, and who waits is told.
    pub(super) fn change_if(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        {
            let mut posted = self.posted.write();
            if !change(&mut posted.value) {
                return false;
            }
            posted.version.0 = posted.version.0.wrapping_add(1);
        }
        self.watchers.wake_all();
        true
    }

    /// How many receivers there are.
    pub(super) fn receivers(&self) -> usize {
        self.present.lock().receivers
    }

    pub(super) fn add_receiver(&self) {
        self.present.lock().receivers += 1;
    }

    /// One receiver less; with the last one nobody watches.
    pub(super) fn remove_receiver(&self) {
        let mut present = self.present.lock();
        present.receivers -= 1;
        let last = present.receivers == 0;
        drop(present);
        if last {
            self.until_left.wake_all();
        }
    }
}

impl<T> CountsSenders for Board<T> {
    fn with_senders<R>(&self, act: impl FnOnce(&mut usize) -> R) -> R {
        act(&mut self.present.lock().senders)
    }

    fn end(&self) {
        self.watchers.wake_all();
    }
}

impl<T: fmt::Debug> fmt::Debug for Board<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("value", &self.posted.read().value).finish_non_exhaustive()
    }
}

/// A look at the latest value. Senders wait until it is dropped.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = weftline::sync::watch::channel(String::from("first"));
/// let length = receiver.borrow().len(); // the lock is gone again here
/// sender.send("second".into()).unwrap();
/// assert_eq!(length, 5);
/// ```
#[must_use]
pub struct Ref<'a, T> {
    /// The lock.
    posted: RwLockReadGuard<'a, Posted<T>>,
    /// Whether who looks had not seen this value before.
    has_changed: bool,
}

impl<T> Ref<'_, T> {
    /// Whether the receiver that looks had not marked this value as seen. Always `false` for a look
    /// by a sender.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = weftline::sync::watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert!(receiver.borrow_and_update().has_changed());
    /// assert!(!receiver.borrow_and_update().has_changed());
    /// ```
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Which value this is.
    pub(super) fn version(&self) -> Version {
        self.posted.version
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.posted.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ref")
            .field("value", &self.posted.value)
            .field("has_changed", &self.has_changed)
            .finish()
    }
}
