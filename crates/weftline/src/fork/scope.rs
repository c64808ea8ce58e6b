//! `scope`: any number of jobs that borrow.

use super::team::Team;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

/// What jobs are spawned into that may borrow what lives longer than `'scope`; given by [`scope()`].
pub struct Scope<'scope> {
    /// The jobs.
    team: Arc<Team>,
    /// What the jobs borrow, neither longer nor shorter.
    borrows: PhantomData<fn(&'scope ()) -> &'scope ()>,
}

impl<'scope> Scope<'scope> {
    pub(super) fn of(team: Arc<Team>) -> Self {
        Self { team, borrows: PhantomData }
    }

    /// Adds a job, which may add others. It is run by a worker that has nothing else to do, or else by
    /// the thread that called [`scope()`], after the function given to that.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// let count = AtomicU32::new(0);
    /// weftline::scope(|scope| {
    ///     scope.spawn(|scope| {
    ///         scope.spawn(|_| {
    ///             count.fetch_add(1, Ordering::Relaxed);
    ///         });
    ///         count.fetch_add(1, Ordering::Relaxed);
    ///     });
    /// });
    /// assert_eq!(count.into_inner(), 2);
    /// ```
    pub fn spawn<F>(&self, job: F)
    where
        F: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        self.team.add(job);
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// Calls `body`, which may spawn jobs that borrow; returns what it gives once all of them have ended.
///
/// It may be called wherever [`join`](crate::join()) may. The calling thread runs the body, and then jobs, the
/// newest first; while it waits for others it runs nothing but jobs of this scope and their forks. The
/// jobs see what forks see: the task, its requests to end, and its task-local variables.
///
/// It holds the thread until then. The scope to await, for jobs that take long, is a
/// [group](crate::group::group) with [`Group::compute`](crate::group::Group::compute): those jobs own what
/// they work on.
///
/// # Panics
///
/// If `body` or a job does, once all have ended; with the first panic.
///
/// # Examples
///
/// ```
/// let mut squares = vec![0; 8];
/// weftline::run(async {
///     weftline::scope(|scope| {
///         for (n, square) in squares.iter_mut().enumerate() {
///             scope.spawn(move |_| *square = n * n);
///         }
///     });
/// });
/// assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49]);
/// ```
pub fn scope<'scope, F, R>(body: F) -> R
where
    F: FnOnce(&Scope<'scope>) -> R,
{
    let team = Team::new();
    let scope = Scope::of(team.clone());
    let result = match catch_unwind(AssertUnwindSafe(|| body(&scope))) {
        Ok(result) => Some(result),
        Err(panic) => {
            team.note_panic(panic);
            None
        }
    };
    team.finish();
    match (result, team.take_panic()) {
        (Some(result), None) => result,
        (_, Some(panic)) => resume_unwind(panic),
        (None, None) => unreachable!("there is a panic or a result"),
    }
}
