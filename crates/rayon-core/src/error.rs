//! Why a pool was not built.

use std::error::Error;
use std::{fmt, io};

/// Why a pool was not built.
#[derive(Debug)]
pub struct ThreadPoolBuildError(Reason);

#[derive(Debug)]
enum Reason {
    GlobalPoolAlreadyInitialized,
    CurrentThreadAlreadyInPool,
    System(io::Error),
}

impl ThreadPoolBuildError {
    pub(crate) fn already_initialized() -> Self {
        Self(Reason::GlobalPoolAlreadyInitialized)
    }

    pub(crate) fn already_in_pool() -> Self {
        Self(Reason::CurrentThreadAlreadyInPool)
    }

    pub(crate) fn of_system(error: io::Error) -> Self {
        Self(Reason::System(error))
    }
}

impl fmt::Display for ThreadPoolBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::GlobalPoolAlreadyInitialized => {
                f.write_str("The global thread pool has already been initialized.")
            }
            Reason::CurrentThreadAlreadyInPool => {
                f.write_str("The current thread is already part of another thread pool.")
            }
            Reason::System(error) => error.fmt(f),
        }
    }
}

impl Error for ThreadPoolBuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Reason::System(error) => Some(error),
            _ => None,
        }
    }
}
