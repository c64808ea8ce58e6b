//! The text of an error that concerns a path: std's says what happened, and not to what.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, io};

/// What the system said, and about which path.
struct Failure {
    /// What was to be done, as in "cannot open".
    doing: &'static str,
    /// To what.
    path: PathBuf,
    /// And where to, if that is another path.
    to: Option<PathBuf>,
    /// What the system said.
    error: io::Error,
}

/// Makes an error say what was to be done with which path. Its kind stays, and the error is the source of the
/// one that is made.
pub(super) fn at(
    doing: &'static str,
    path: &Path,
    to: Option<&Path>,
) -> impl FnOnce(io::Error) -> io::Error {
    move |error| {
        let (path, to) = (path.to_owned(), to.map(Path::to_owned));
        io::Error::new(error.kind(), Failure { doing, path, to, error })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.doing, self.path.display())?;
        if let Some(to) = &self.to {
            write!(f, " to {}", to.display())?;
        }
        write!(f, ": {}", self.error)
    }
}

/// The same text: it is what a `main` shows that ends with the error.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
