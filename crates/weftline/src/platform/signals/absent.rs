//! Systems without Unix signals: nothing is caught.

use super::EndSignal;
use std::io;

/// What would be caught.
pub(crate) struct Caught(());

/// Catches nothing.
pub(crate) fn catch(
    _signals: &[EndSignal],
    _act: impl Fn(EndSignal) + Send + 'static,
) -> io::Result<Option<Caught>> {
    Ok(None)
}

/// Ends the process with the status by which shells know an interrupted one.
pub(crate) fn end_by(_signal: EndSignal) -> ! {
    std::process::exit(130)
}
