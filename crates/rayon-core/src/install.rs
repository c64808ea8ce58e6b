//! Calling something in a pool.

use crate::duty::End;
use crate::job::erase;
use crate::panics::catch;
use crate::place::{self, Place};
use crate::pool::Registry;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use weftline::foundation::Branch;

impl Registry {
    /// Calls `call` in this pool, and tells it whether it was moved there.
    ///
    /// # Panics
    ///
    /// If `call` does.
    pub(crate) fn install<R: Send>(self: &Arc<Self>, call: impl FnOnce(bool) -> R + Send) -> R {
        match place::here() {
            Place::In(own, index)
                if Arc::ptr_eq(&own, self) && (index.is_some() || self.is_guest()) =>
            {
                call(false)
            }
            _ => self.install_from_outside(|| call(true)),
        }
    }

    #[cold]
    fn install_from_outside<R: Send>(self: &Arc<Self>, call: impl FnOnce() -> R + Send) -> R {
        let result = Mutex::new(None);
        let end = End::new();
        let ending = end.clone();
        let place = &result;
        let job = move || {
            Branch::enter_none(|| *crate::locked(place) = Some(catch(call)));
            ending.note();
        };
        // SAFETY: this returns once the end has come, after which the job touches nothing of it.
        let job = unsafe { erase(Box::new(job)) };
        self.push(job);
        end.wait();
        match result.into_inner().unwrap_or_else(|e| e.into_inner()).expect("it was called") {
            Ok(result) => result,
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// Calls `call` in the pool around the calling thread, or else in the global one; tells it whether it
/// was moved there.
pub(crate) fn in_current<R: Send>(call: impl FnOnce(bool) -> R + Send) -> R {
    match place::here() {
        Place::In(..) => call(false),
        Place::Outside => place::global().install(call),
    }
}
