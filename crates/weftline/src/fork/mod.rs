//! Fork-join: work that is split in two, or in many, and borrows from where it is split.
//!
//! [`join()`] is the plain form, and almost free: its second closure is noted and run by the caller
//! itself, unless somebody idle asks meanwhile. [`scope()`] is for as many jobs as there are. Both
//! return when all is done; a thread that waits in them runs nothing but parts of what it waits for.
//!
//! Inside: `join.rs` is the algorithm, `frame.rs` a closure in its caller's stack, `promotion.rs` what
//! becomes of one that is given away, `branch.rs` who may run what while it waits, `give.rs` answers
//! those who ask, `scope.rs` and `team.rs` are for many jobs. `aside.rs` and `offered.rs` are for the
//! interfaces of others that are built on this one. `docs/fork.md` tells the story.

mod aside;
mod branch;
#[expect(unsafe_code, reason = "a closure in its caller's stack may be run by another thread")]
mod frame;
mod give;
#[expect(unsafe_code, reason = "a closure is noted in its caller's stack")]
mod join;
mod offered;
#[expect(unsafe_code, reason = "a job holds a counted reference")]
mod promotion;
mod scope;
#[expect(unsafe_code, reason = "jobs that borrow are kept as if they did not")]
mod team;
#[cfg(test)]
#[expect(unsafe_code, reason = "the models need unguarded writes")]
mod tests;

pub use aside::{Aside, set_aside};
pub use branch::Branch;
pub use join::join;
pub use offered::{OfferedFork, is_outermost};
pub use scope::{Scope, scope};

use crate::job::latent::wanted_here;

/// Whether somebody would run a fork of the calling thread.
#[inline]
pub(crate) fn is_wanted() -> bool {
    wanted_here().by_anybody()
}

/// Gives a latent fork of the calling thread away, if somebody asks for one: for code that computes
/// for long without forking.
#[inline]
pub(crate) fn give_if_wanted() {
    if is_wanted() {
        give::answer();
    }
}
