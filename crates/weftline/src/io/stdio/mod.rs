//! The standard streams of the process: [`stdin`], [`stdout`] and [`stderr`].
//!
//! They cannot be waited for without a change that every other process would see that has them as well. So
//! each has a thread of its own, which belongs to the process and to no runtime: nobody waits for it, neither the end of a
//! runtime nor that of the program. `lane` is that thread.

mod input;
mod lane;
mod output;

pub use input::{Stdin, stdin};
pub use output::{Stderr, Stdout, stderr, stdout};
