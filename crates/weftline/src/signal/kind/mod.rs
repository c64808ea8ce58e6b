//! Which signal.

use crate::platform::signals::{NUMBERS, why_not_caught};
use std::ffi::c_int;
use std::{fmt, io};

/// Which signal: a number with a name. Windows has two of them, `INTERRUPT` and `BREAK`, with the
/// numbers that its C library gives them.
///
/// # Examples
///
/// ```
/// use weftline::signal::Kind;
///
/// assert_eq!(Kind::TERMINATE.to_string(), "SIGTERM");
/// assert_eq!(Kind::from_raw(Kind::HANGUP.as_raw()), Ok(Kind::HANGUP));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(c_int);

/// Declares the kinds that have a name, by the numbers of a module.
macro_rules! kinds {
    (in $numbers:ident; $($(#[$doc:meta])* $name:ident = $signal:ident;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Self = Self($numbers::$signal);)*

            pub(super) fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($signal)),)*
                    _ => None,
                }
            }
        }
    };
}

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

impl Kind {
    /// The signal with this number.
    ///
    /// # Errors
    ///
    /// If there can be none with this number.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::signal::Kind;
    ///
    /// assert_eq!(Kind::from_raw(9), Ok(Kind::KILL));
    /// let error = Kind::from_raw(1000).unwrap_err();
    /// assert_eq!(error.to_string(), "signal number is 1000, but only 1 to 64 are signals");
    /// ```
    pub fn from_raw(number: i32) -> Result<Self, InvalidKind> {
        match usize::try_from(number) {
            Ok(1..NUMBERS) => Ok(Self(number)),
            _ => Err(InvalidKind { number }),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn as_raw(self) -> i32 {
        self.0
    }

    /// Whether a program may be told of it and go on.
    pub(in crate::signal) fn check_catchable(self) -> io::Result<()> {
        let Some(why) = why_not_caught(self.0) else { return Ok(()) };
        let text = format!("{self} cannot be listened for: {why}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number that no signal has; made by [`Kind::from_raw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidKind {
    /// The number.
    number: i32,
}

impl fmt::Display for InvalidKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = NUMBERS - 1;
        write!(f, "signal number is {}, but only 1 to {most} are signals", self.number)
    }
}

impl std::error::Error for InvalidKind {}

impl From<InvalidKind> for io::Error {
    fn from(error: InvalidKind) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}
