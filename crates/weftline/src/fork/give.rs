//! Answers those who ask for something to do.

use super::branch::{Branch, Offer};
use super::promotion::Promotion;
use super::team::Team;
use crate::job::Job;
use crate::job::latent::wanted_here;
use crate::scheduler::served;
use std::sync::Arc;

/// Gives the oldest latent fork away, if somebody has a use for it.
#[cold]
#[inline(never)]
pub(super) fn answer() {
    let (wanted, branch) = (wanted_here(), Branch::current());
    // Whoever waits for something else than this is a part of leaves the word set for long.
    let by_waiting = wanted.by_waiting() && branch.as_ref().is_some_and(|branch| branch.is_asked());
    let by_idle = || wanted.by_idle() && served().is_some_and(|shared| shared.answer_idle());
    if by_waiting || by_idle() {
        if let Some(promotion) = Promotion::of_oldest(branch.as_ref()) {
            give(promotion.job());
            if let Some(branch) = branch {
                branch.offer(Offer::Fork(promotion));
            }
        }
    }
}

/// Asks for help with the jobs of a scope.
pub(super) fn invite(team: &Arc<Team>) {
    give(team.invitation());
    // To whoever waits for what the scope is a part of, wherever the job comes from.
    if let Some(branch) = team.branch().parent() {
        branch.offer(Offer::Jobs(team.clone()));
    }
}

/// Gives something to the workers.
fn give(job: Job) {
    match served() {
        Some(shared) => shared.give(job),
        // No workers: the calling thread, and those that wait, run it.
        None => job.discard(),
    }
}
