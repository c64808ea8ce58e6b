//! Answers those who ask for something to do.

use super::branch::{Branch, Offer};
use super::promotion::Promotion;
use super::team::Team;
use crate::job::Job;
use crate::job::latent::wanted_here;
use crate::scheduler::served;
use std::sync::Arc;

/// Whom there is to give something.
pub(super) struct Asked {
    /// The branch that the calling code runs in.
    branch: Option<Arc<Branch>>,
}

impl Asked {
    /// Somebody wants something: whether what the calling thread has is of use to them.
    #[cold]
    pub(super) fn here() -> Option<Self> {
        let branch = Branch::current();
        let by_waiting =
            wanted_here().by_waiting() && branch.as_ref().is_some_and(|branch| branch.is_asked());
        let asked = by_waiting || served().is_some_and(|shared| shared.answer_idle());
        asked.then_some(Self { branch })
    }

    /// Gives it.
    pub(super) fn give(self, job: Job, offer: Offer) {
        match served() {
            Some(shared) => shared.give(job),
            // Only those that wait for the branch have asked.
            None => job.discard(),
        }
        if let Some(branch) = self.branch {
            branch.offer(offer);
        }
    }
}

/// Gives the oldest latent fork away, if somebody has a use for it.
#[cold]
#[inline(never)]
pub(super) fn answer() {
    let Some(asked) = Asked::here() else { return };
    if let Some(promotion) = Promotion::of_oldest(asked.branch.as_ref()) {
        asked.give(promotion.job(), Offer::Fork(promotion));
    }
}

/// Asks for help with the jobs of a scope, if somebody would.
#[cold]
#[inline(never)]
pub(super) fn invite(team: &Arc<Team>) {
    if let Some(asked) = Asked::here() {
        asked.give(team.invitation(), Offer::Jobs(team.clone()));
    }
}
