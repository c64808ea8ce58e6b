//! Which signal.

use crate::platform::signals::NUMBERS;
use std::ffi::c_int;
use std::{fmt, io};

/// Which signal: a number with a name.
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

/// Declares the kinds that have a name.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $signal:ident;)*) => {
        impl Kind {
            $($(#[$doc])* pub const $name: Self = Self(libc::$signal);)*

            fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($signal)),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// A timer of the process is over.
    ALARM = SIGALRM;
    /// A child has ended.
    CHILD = SIGCHLD;
    /// Go on after a stop.
    CONTINUE = SIGCONT;
    /// The terminal is gone; to daemons: read the configuration again.
    HANGUP = SIGHUP;
    /// The user's Ctrl-C.
    INTERRUPT = SIGINT;
    /// End at once; cannot be caught.
    KILL = SIGKILL;
    /// A pipe was written to that nobody reads.
    PIPE = SIGPIPE;
    /// The user's Ctrl-\.
    QUIT = SIGQUIT;
    /// Stop at once; cannot be caught.
    STOP = SIGSTOP;
    /// Please end.
    TERMINATE = SIGTERM;
    /// Whatever programs agree on.
    USER1 = SIGUSR1;
    /// Whatever programs agree on.
    USER2 = SIGUSR2;
    /// The terminal has another size.
    WINDOW_CHANGE = SIGWINCH;
}

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
    pub(super) fn check_catchable(self) -> io::Result<()> {
        let why = match self.0 {
            libc::SIGKILL | libc::SIGSTOP => "the system lets no program have its own way with it",
            libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL => {
                "it tells of a fault of the program, which cannot go on after that"
            }
            _ => return Ok(()),
        };
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
