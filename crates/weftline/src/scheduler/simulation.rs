//! The deterministic mode: all workers on one thread, in an order that a seed chooses.
//!
//! The thread inside of `block_on` is the *player*. Whenever its own future waits, it plays the
//! workers: it chooses one of those that have something to run, is that worker for the length of
//! one job, and chooses again; the future, once it is woken, is chosen like a worker. When nobody
//! has anything to run it looks for events, then lets virtual time pass, and only when there is
//! no deadline either does it wait for what comes from outside. Queues, slots and inboxes are
//! those of every runtime. `docs/time.md` says what is replayed by the seed and what is not.

use super::random::Random;
use super::thread_number;
use super::trace::{Recorder, Trace};
use super::worker::{Local, as_worker};
use super::{Shared, queues::steal_from};
use crate::job::Job;
use crate::platform::Mutex;
use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::task::Hooks;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

/// Steps between two looks at the kernel's events while there is something to run.
const STEPS_PER_LOOK: u32 = 64;
/// One in so many jobs is put from the slot to the end of the queue, so that others may take it.
const SLOT_PASSES: usize = 4;
/// No thread.
const NOBODY: usize = usize::MAX;

thread_local! {
    /// The players that this thread is, the innermost last.
    static PLAYERS: RefCell<Vec<Rc<Player>>> = const { RefCell::new(Vec::new()) };
}

/// What a deterministic runtime has beside the rest.
pub(super) struct Simulation {
    /// What the user has chosen.
    pub(super) seed: u64,
    /// What has been done.
    pub(super) recorder: Arc<Recorder>,
    /// The number of the only thread that may be the player: futures that are not `Send` live there.
    home: AtomicUsize,
    /// The workers while nobody plays them.
    cast: Mutex<Cast>,
}

/// Where the workers are.
enum Cast {
    /// They wait for somebody to play them.
    Ready(Vec<Local>, Random),
    /// A thread plays them.
    Played,
    /// They have ended.
    Gone,
}

impl Simulation {
    pub(super) fn new(seed: u64, hooks: &mut Hooks) -> Self {
        let recorder = Recorder::listening_in(hooks);
        let home = AtomicUsize::new(NOBODY);
        Self { seed, recorder, home, cast: Mutex::new(Cast::Gone) }
    }

    /// Whether the calling thread may be the player; the first one that asks may.
    fn is_at_home(&self) -> bool {
        let here = thread_number();
        // Relaxed: it is compared only with the caller's own number.
        match self.home.compare_exchange(NOBODY, here, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => true,
            Err(home) => home == here,
        }
    }
}

/// A thread that plays the workers.
struct Player {
    shared: Arc<Shared>,
    /// The workers.
    locals: Vec<Rc<Local>>,
    /// Which of them are inside of a job: one that blocks, with another being run inside of it.
    busy: Vec<Cell<bool>>,
    /// The seed's numbers.
    random: RefCell<Random>,
    /// Steps until the next look at the kernel's events.
    until_look: Cell<u32>,
}

/// Makes the calling thread the player until it is dropped.
pub(crate) struct Playing(());

impl Drop for Playing {
    fn drop(&mut self) {
        let player = PLAYERS.with(|players| players.borrow_mut().pop());
        let player = player.and_then(|player| Rc::try_unwrap(player).ok());
        if let Some(player) = player {
            player.leave();
        }
    }
}

/// Whether the calling thread plays workers.
pub(super) fn plays_here() -> bool {
    PLAYERS.try_with(|players| !players.borrow().is_empty()).unwrap_or(false)
}

/// Whether the calling thread is the player of `shared`.
pub(super) fn plays(shared: &Shared) -> bool {
    player_of(shared).is_some()
}

/// The calling thread as the player of `shared`.
fn player_of(shared: &Shared) -> Option<Rc<Player>> {
    let find = |players: &RefCell<Vec<Rc<Player>>>| {
        let players = players.borrow();
        players.iter().rev().find(|player| std::ptr::eq(&*player.shared, shared)).cloned()
    };
    PLAYERS.try_with(find).ok().flatten()
}

impl Shared {
    /// The seed, where the runtime is deterministic.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.simulation.as_ref().map(|simulation| simulation.seed)
    }

    /// What was done so far, where the runtime is deterministic.
    pub(crate) fn trace(&self) -> Option<Trace> {
        self.simulation.as_ref().map(|simulation| simulation.recorder.trace())
    }

    /// Gives a deterministic runtime its workers.
    pub(crate) fn seat(&self, locals: Vec<Local>) {
        if let Some(simulation) = &self.simulation {
            *simulation.cast.lock() = Cast::Ready(locals, Random::new(simulation.seed));
        }
    }

    /// Makes the calling thread the player, if the runtime is deterministic, until the guard is
    /// dropped. `None`: it is the player already, another thread is, or the workers have ended.
    ///
    /// # Errors
    ///
    /// If no thread is the player, and this one must not be.
    pub(crate) fn begin_to_play(self: &Arc<Self>) -> Result<Option<Playing>, NotHere> {
        let Some(simulation) = &self.simulation else { return Ok(None) };
        let mut cast = simulation.cast.lock();
        let (locals, random) = match std::mem::replace(&mut *cast, Cast::Played) {
            Cast::Ready(locals, random) if simulation.is_at_home() => (locals, random),
            other => {
                let is_ready = matches!(other, Cast::Ready(..));
                *cast = other;
                return if is_ready { Err(NotHere) } else { Ok(None) };
            }
        };
        let player = Player {
            shared: self.clone(),
            busy: locals.iter().map(|_| Cell::new(false)).collect(),
            locals: locals.into_iter().map(Rc::new).collect(),
            random: RefCell::new(random),
            until_look: Cell::new(STEPS_PER_LOOK),
        };
        PLAYERS.with(|players| players.borrow_mut().push(Rc::new(player)));
        Ok(Some(Playing(())))
    }

    /// Plays the workers until `is_woken`, and until that is chosen. False: the calling thread is
    /// not the player, or the workers have ended.
    pub(super) fn play_until(&self, is_woken: &dyn Fn() -> bool) -> bool {
        let Some(player) = player_of(self) else { return false };
        loop {
            if self.is_stopped() {
                player.end_workers();
                return false;
            }
            match player.step(is_woken()) {
                Step::Main => return true,
                Step::Worker => {}
                Step::Nobody => player.wait(is_woken, None),
            }
        }
    }

    /// Plays the workers, if the runtime is deterministic and nobody else does, until `is_done` or
    /// until `deadline` by the system's time.
    ///
    /// # Errors
    ///
    /// If no thread plays them, and this one must not.
    pub(crate) fn play_out(
        self: &Arc<Self>,
        is_done: &dyn Fn() -> bool,
        deadline: Option<Instant>,
    ) -> Result<(), NotHere> {
        let Some(_playing) = self.begin_to_play()? else { return Ok(()) };
        let Some(player) = player_of(self) else { return Ok(()) };
        while !is_done() {
            let limit = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if limit.is_some_and(|limit| limit.is_zero()) {
                break;
            }
            if let Step::Nobody = player.step(false) {
                player.wait(is_done, limit);
            }
        }
        Ok(())
    }

    /// The workers of a deterministic runtime end, after it was stopped. Where a thread plays them
    /// at this moment, it ends them.
    pub(crate) fn end_cast(self: &Arc<Self>) {
        if let Ok(playing) = self.begin_to_play() {
            return drop(playing);
        }
        let Some(simulation) = &self.simulation else { return };
        let cast = std::mem::replace(&mut *simulation.cast.lock(), Cast::Gone);
        if let Cast::Ready(locals, _) = cast {
            // Not the thread that their futures live on.
            locals.into_iter().for_each(Local::give_up);
        }
    }
}

/// No thread runs this runtime, and this one must not.
#[derive(Debug)]
pub(crate) struct NotHere;

/// Who made a step.
enum Step {
    /// The future of the calling thread is to be polled.
    Main,
    /// A worker has run a job.
    Worker,
    /// There was nothing to run.
    Nobody,
}

impl Player {
    /// Chooses among those that have something to run. `main`: the thread's own future is one.
    fn step(&self, main: bool) -> Step {
        self.look_now_and_then();
        let choices = self.able_workers().count() + usize::from(main);
        if choices == 0 {
            return Step::Nobody;
        }
        let choice = self.random.borrow_mut().below(choices);
        let worker = self.able_workers().nth(choice);
        self.recorder().step(worker.unwrap_or(self.locals.len()));
        let Some(worker) = worker else { return Step::Main };
        self.play(worker);
        Step::Worker
    }

    /// The workers that have something to run, and are not held by a job that blocks.
    fn able_workers(&self) -> impl Iterator<Item = usize> {
        let for_anybody = self.shared.holds_common_jobs();
        (0..self.locals.len()).filter(move |worker| {
            let holds_jobs = for_anybody || self.locals[*worker].holds_pinned_jobs();
            holds_jobs && !self.busy[*worker].get()
        })
    }

    /// Runs one job as `worker`.
    fn play(&self, worker: usize) {
        let local = &self.locals[worker];
        let job = as_worker(local, || local.choose_job(&self.random));
        let Some(job) = job else { return };
        self.busy[worker].set(true);
        self.shared.begin_to_act();
        as_worker(local, || local.run_job(job));
        self.shared.rest_in_play();
        self.busy[worker].set(false);
    }

    /// Tasks that always have something to do must not keep events waiting.
    fn look_now_and_then(&self) {
        self.until_look.set(self.until_look.get() - 1);
        if self.until_look.get() == 0 {
            self.until_look.set(STEPS_PER_LOOK);
            if !self.shared.driver.is_idle() {
                self.harvest(Some(Duration::ZERO));
            }
        }
    }

    /// Nobody has anything to run: events, or else time, or else whatever comes.
    fn wait(&self, is_woken: &dyn Fn() -> bool, limit: Option<Duration>) {
        if self.harvest(Some(Duration::ZERO)) {
            return;
        }
        // Blocking jobs, and other threads that wait for this runtime, hold the time.
        let all_rest =
            self.shared.actors.as_ref().is_some_and(|actors| actors.all_rest().is_some());
        let next_ns = if all_rest { self.shared.earliest_deadline_ns() } else { None };
        let Some(next_ns) = next_ns else { return self.wait_for_others(is_woken, limit) };
        self.recorder().advance(next_ns);
        let mut wakers = Vec::new();
        self.shared.advance_to(next_ns, &mut wakers);
        self.deliver(wakers);
    }

    /// Sleeps as all workers at once, so that whoever posts or wakes something notices it.
    fn wait_for_others(&self, is_woken: &dyn Fn() -> bool, limit: Option<Duration>) {
        let shared = &*self.shared;
        let mut asleep = true;
        for (worker, remote) in shared.remotes.iter().enumerate() {
            shared.sleep.announce(worker, true, None);
            asleep &= remote.parker.go_elsewhere();
        }
        // The last look; `announce` has put the fence before it.
        asleep &= self.able_workers().next().is_none() && !is_woken() && !shared.is_stopped();
        let wakers = if asleep { self.turn(limit) } else { Vec::new() };
        for (worker, remote) in shared.remotes.iter().enumerate() {
            remote.parker.come_back();
            if let Some(searching) = shared.sleep.leave(worker, false) {
                // Whatever it was chosen for is found by the next step.
                let _ = shared.sleep.end_search(searching);
            }
        }
        self.deliver(wakers);
    }

    /// Delivers what the kernel reports; says whether it was anything.
    fn harvest(&self, limit: Option<Duration>) -> bool {
        let wakers = self.turn(limit);
        let found = !wakers.is_empty();
        self.deliver(wakers);
        found
    }

    /// # Panics
    ///
    /// If the kernel refuses to wait for events, which it does only for a descriptor that is none.
    fn turn(&self, limit: Option<Duration>) -> Vec<Waker> {
        let mut wakers = Vec::new();
        if let Err(error) = self.shared.driver.turn(limit, &mut wakers) {
            panic!("the kernel refuses to wait for events: {error}");
        }
        wakers
    }

    /// Calls wakers, in any order, as any worker: what happens at the same time has no order.
    fn deliver(&self, mut wakers: Vec<Waker>) {
        if wakers.is_empty() {
            return;
        }
        let worker = {
            let mut random = self.random.borrow_mut();
            random.shuffle(&mut wakers);
            random.below(self.locals.len())
        };
        let local = &self.locals[worker];
        local.wakers.replace(wakers);
        as_worker(local, || local.deliver(true));
    }

    /// After the runtime was stopped: what is queued is run, which ends it.
    fn end_workers(&self) {
        for (local, busy) in self.locals.iter().zip(&self.busy) {
            if !busy.get() {
                as_worker(local, || local.run_what_is_left());
            }
        }
    }

    /// The thread is the player no more.
    fn leave(self) {
        let stopped = self.shared.is_stopped();
        if stopped {
            self.end_workers();
        }
        let Some(simulation) = &self.shared.simulation else { return };
        let locals = self.locals.into_iter().filter_map(|local| Rc::try_unwrap(local).ok());
        let ready = Cast::Ready(locals.collect(), self.random.into_inner());
        let ended = std::mem::replace(
            &mut *simulation.cast.lock(),
            if stopped { Cast::Gone } else { ready },
        );
        drop(ended);
    }

    fn recorder(&self) -> &Recorder {
        let simulation = self.shared.simulation.as_ref();
        &simulation.expect("a player belongs to a simulation").recorder
    }
}

impl Shared {
    /// Whether there is a job that any worker may run.
    fn holds_common_jobs(&self) -> bool {
        self.injector.may_hold_jobs()
            || self
                .remotes
                .iter()
                .any(|remote| !remote.slot.is_empty() || !remote.stealer.is_empty())
    }

    /// An actor of the player rests. Nobody needs to be told: the player looks.
    pub(super) fn rest_in_play(&self) {
        if let Some(actors) = &self.actors {
            let _ = actors.rest_silently();
        }
    }
}

impl Local {
    /// The next job for this worker: its own, or else one of another, whose is chosen by chance.
    fn choose_job(&self, random: &RefCell<Random>) -> Option<Job> {
        let remotes = &self.shared.remotes;
        if let Some(job) = remotes[self.index].slot.take() {
            if random.borrow_mut().below(SLOT_PASSES) > 0 {
                return Some(job);
            }
            self.queue.push(job);
        }
        let start = random.borrow_mut().below(remotes.len());
        self.own_job().or_else(|| {
            (0..remotes.len()).map(|offset| &remotes[(start + offset) % remotes.len()]).find_map(
                |victim| steal_from(&victim.stealer, &self.queue).or_else(|| victim.slot.take()),
            )
        })
    }
}
