//! The signals of Windows, which are two.

use super::Kind;
use crate::platform::signals as numbers;

kinds! {
    in numbers;
    /// The user's Ctrl-C.
    INTERRUPT = SIGINT;
    /// The user's Ctrl-Break, and how one program asks another one to end.
    BREAK = SIGBREAK;
}
