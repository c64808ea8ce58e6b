//! A fork that is given to whoever comes, without having been asked for.

use super::branch::{Branch, Offer};
use super::promotion::Promotion;
use crate::job::latent;
use std::fmt;
use std::sync::Arc;

/// A fork that others may run, until its own thread does.
pub struct OfferedFork(Arc<Promotion>);

/// Whether the next fork of the calling code is the oldest that it could give away, or there is no
/// runtime to give it to.
#[must_use]
pub fn is_outermost() -> bool {
    latent::is_empty() || !latent::is_served()
}

impl OfferedFork {
    /// The oldest latent fork of the calling code. `None`: all of them were given away.
    #[must_use]
    pub fn oldest() -> Option<Self> {
        let branch = Branch::current();
        let promotion = Promotion::of_oldest(branch.as_ref())?;
        if let Some(branch) = branch {
            branch.offer(Offer::Fork(promotion.clone()));
        }
        Some(Self(promotion))
    }

    /// Whether it may be run yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_offered()
    }

    /// Runs it, unless somebody has. False: so it is.
    pub fn run(self) -> bool {
        let claimed = self.0.claim();
        if claimed {
            self.0.run();
        }
        claimed
    }
}

impl fmt::Debug for OfferedFork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfferedFork").field("is_open", &self.is_open()).finish()
    }
}
