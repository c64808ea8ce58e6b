//! Variables and their values: a sorted list, shared by all copies of a context until one of them
//! changes it.
//!
//! A program has a handful of variables, so that a copy of the list costs less than walking a tree
//! would; the values themselves are shared by all copies.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// A value of any variable.
pub(super) type Value = Arc<dyn Any + Send + Sync>;

/// Which variable: the address of its key, which is a static.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyId {
    /// The address.
    pub(super) address: usize,
    /// What the variable is called; depends on the address.
    pub(super) name: &'static str,
}

/// The values, sorted by variable; never empty.
#[derive(Clone)]
pub(super) struct Map(Vec<(KeyId, Value)>);

impl Map {
    pub(super) fn of_one(key: KeyId, value: Value) -> Self {
        Self(vec![(key, value)])
    }

    fn find(&self, key: KeyId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key.address, |(key, _)| key.address)
    }

    pub(super) fn get(&self, key: KeyId) -> Option<&Value> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// Gives a variable a value; hands out the one it had.
    pub(super) fn insert(&mut self, key: KeyId, value: Value) -> Option<Value> {
        match self.find(key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Takes a variable's value away, which is not the only one.
    pub(super) fn remove(&mut self, key: KeyId) -> Option<Value> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Several values may panic when they are dropped, and two panics at once would end the process:
/// all are dropped, then the first panic goes on.
impl Drop for Map {
    fn drop(&mut self) {
        let mut panicked = None;
        for (_, value) in self.0.drain(..) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
                match panicked {
                    None => panicked = Some(payload),
                    // Its own drop may panic again.
                    Some(_) => std::mem::forget(payload),
                }
            }
        }
        let Some(payload) = panicked else { return };
        if std::thread::panicking() {
            std::mem::forget(payload);
        } else {
            resume_unwind(payload);
        }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(key, _)| key.name)).finish()
    }
}
