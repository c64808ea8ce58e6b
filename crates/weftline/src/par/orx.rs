//! A runtime as a thread pool for orx-parallel's iterators, with the feature `orx-parallel`.
//!
//! Such a pool is asked for a scope, into which it is given one job for each thread that is to take
//! part. Here that is [`scope`], so the jobs belong to the task around it, and the calling thread takes
//! part.

use crate::fork::{Scope, scope};
use crate::runtime::Handle;
use std::num::NonZeroUsize;

/// # Examples
///
/// ```
/// use orx_parallel::*;
/// use weftline::Handle;
///
/// weftline::run(async {
///     let runner = Runner::adaptive_with_pool(Handle::current());
///     let squares: Vec<usize> = (0..1000).into_par().map(|n| n * n).runner(runner).collect();
///     assert_eq!(squares[999], 998_001);
/// });
/// ```
impl orx_parallel::ThreadPool for Handle {
    type ScopeRef<'s, 'env, 'scope>
        = &'s Scope<'scope>
    where
        'scope: 's,
        'env: 'scope + 's;

    fn scope<'env, 'scope, F>(&'env self, body: F)
    where
        'env: 'scope,
        for<'s> F: FnOnce(&'s Scope<'scope>) + Send,
    {
        let _entered = self.enter();
        scope(body);
    }

    fn max_num_threads(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.workers()).expect("a runtime has a worker")
    }
}

impl<'s, 'env, 'scope> orx_parallel::Scope<'s, 'env, 'scope> for &'s Scope<'scope> {
    fn run<W>(self, work: W)
    where
        'scope: 's,
        'env: 'scope + 's,
        W: FnOnce() + Send + 'scope + 'env,
    {
        self.spawn(|_| work());
    }
}
