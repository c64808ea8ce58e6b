//! The threads of a pool, from their beginning to their end.

use crate::duty::Duty;
use crate::place::{self, Member};
use crate::pool::Registry;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::{fmt, io, thread};
use weftline::Handle;
use weftline::foundation::set_aside;
use weftline::runtime::{EnterGuard, WorkerThread};

thread_local! {
    /// Keeps a pool's runtime around the thread that built it and is its first.
    static ENTERED: RefCell<Option<EnterGuard>> = const { RefCell::new(None) };
}

/// A thread of a pool before it runs: what a
/// [spawn handler](crate::ThreadPoolBuilder::spawn_handler) is given.
pub struct ThreadBuilder {
    pub(crate) name: Option<String>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) index: usize,
    pub(crate) registry: Arc<Registry>,
    pub(crate) worker: WorkerThread,
}

impl ThreadBuilder {
    /// The thread's place in the pool, from 0 on.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The name that was chosen by [`thread_name`](crate::ThreadPoolBuilder::thread_name).
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The size that was chosen by [`stack_size`](crate::ThreadPoolBuilder::stack_size), in bytes.
    pub fn stack_size(&self) -> Option<usize> {
        self.stack_size
    }

    /// Makes the calling thread be this one until the pool ends.
    pub fn run(self) {
        let Self { index, registry, worker, .. } = self;
        set_aside(Some(Duty::new(registry.clone(), index)));
        place::set_member(Some(Rc::new(Member { registry, index })));
        worker.run();
        place::set_member(None);
        set_aside(None);
    }

    /// What std starts it with.
    pub(crate) fn std_builder(&self) -> thread::Builder {
        let mut builder = thread::Builder::new();
        if let Some(name) = self.name() {
            builder = builder.name(name.to_owned());
        }
        if let Some(bytes) = self.stack_size() {
            builder = builder.stack_size(bytes);
        }
        builder
    }
}

impl fmt::Debug for ThreadBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBuilder")
            .field("index", &self.index)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}

/// Called on each thread of a pool's runtime, before it runs anything.
pub(crate) fn began() {
    // Without an owner it is no worker.
    let Some(member) = place::first_member() else { return };
    member.registry.attach(Handle::current());
    member.registry.note_begin();
    if let Some(handler) = member.registry.options().and_then(|o| o.start_handler.as_ref()) {
        member.registry.guard(|| handler(member.index));
    }
}

/// Called on each thread of a pool's runtime, after it ran everything.
pub(crate) fn ended() {
    let Some(member) = place::first_member() else { return };
    if let Some(handler) = member.registry.options().and_then(|o| o.exit_handler.as_ref()) {
        member.registry.guard(|| handler(member.index));
    }
}

/// Makes the calling thread be the first of a pool, for good.
pub(crate) fn take_current(registry: &Arc<Registry>, handle: Option<&Handle>) {
    set_aside(Some(Duty::new(registry.clone(), 0)));
    place::set_member(Some(Rc::new(Member { registry: registry.clone(), index: 0 })));
    registry.note_begin();
    if let Some(handle) = handle {
        let guard = handle.enter();
        // A thread that ends needs no runtime.
        let _ = ENTERED.try_with(|entered| entered.replace(Some(guard)));
    }
}

/// How threads are started. It is public in a private place.
pub trait ThreadSpawn {
    /// Has a thread call [`ThreadBuilder::run`].
    #[doc(hidden)]
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()>;
}

/// By std. It is public in a private place.
#[derive(Debug, Default)]
pub struct DefaultSpawn;

impl ThreadSpawn for DefaultSpawn {
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()> {
        thread.std_builder().spawn(|| thread.run()).map(drop)
    }
}

/// By a function of the user's. It is public in a private place.
#[derive(Debug)]
pub struct CustomSpawn<F>(pub(crate) F);

impl<F> ThreadSpawn for CustomSpawn<F>
where
    F: FnMut(ThreadBuilder) -> io::Result<()>,
{
    fn spawn(&mut self, thread: ThreadBuilder) -> io::Result<()> {
        (self.0)(thread)
    }
}
