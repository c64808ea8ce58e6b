//! The order of measurement: workloads, their cases, and the round robin over the peers.
//!
//! A *workload* asks one question, a *case* is one variant of it (its size, its number of callers),
//! an *entry* is one peer's way to run the case. Every sample starts its peer, runs the case once
//! to warm up, runs it again for the record and stops the peer, so that no two peers' threads are
//! ever alive together. Next: `peers/mod.rs` for what a peer must offer, `workloads/mod.rs` for the
//! list.

use indicatif::{ProgressBar, ProgressStyle};

use crate::peers::{
    AsyncPeer, ComputePeer, Drivers, EchoPeer, ForkPeer, JobPeer, Peer, TimerPeer,
    beside_rayon::BesideRayon, chili::Chili, rayon::Rayon, smol::Smol, std::Threads, tokio::Tokio,
    weftline::Weftline,
};

/// What every measurement is told.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Worker threads of each peer.
    pub workers: usize,
    /// Factor on every count of tasks, jobs and round trips.
    pub scale: f64,
}

impl Setup {
    /// The workload's usual count times the scale, at least one.
    pub fn count(&self, usual: usize) -> usize {
        ((usual as f64 * self.scale).round() as usize).max(1)
    }
}

/// One figure a case yields per sample.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// What is appended to the case's name; empty where the case has one figure only.
    pub suffix: &'static str,
    /// The unit, such as `ns/task`.
    pub unit: &'static str,
}

impl Metric {
    /// The only figure of a case.
    pub const fn only(unit: &'static str) -> [Metric; 1] {
        [Metric { suffix: "", unit }]
    }
}

/// One peer's way to run a case: gives one value per metric.
type Run = Box<dyn Fn(&Setup) -> Vec<f64>>;

/// One peer's part in a case.
struct Entry {
    /// The peer's name in the tables.
    peer: &'static str,
    /// Takes one sample.
    run: Run,
}

/// One variant of a workload, with the peers that take part in it.
pub struct Case {
    /// The name in the tables, unique in the program.
    name: String,
    /// The figures of one sample.
    metrics: Vec<Metric>,
    /// The peers, in the order of the table.
    entries: Vec<Entry>,
}

/// Work that is written against [`AsyncPeer`].
pub trait AsyncWork: Copy + 'static {
    /// Does the work once on a running peer and asserts its result.
    fn measure<P: AsyncPeer>(self, peer: &P, setup: &Setup) -> Vec<f64>;
}

/// Work that is written against [`TimerPeer`].
pub trait TimerWork: Copy + 'static {
    /// Does the work once on a running peer and asserts its result.
    fn measure<P: TimerPeer>(self, peer: &P, setup: &Setup) -> Vec<f64>;
}

/// Work that is written against [`JobPeer`].
pub trait JobWork: Copy + 'static {
    /// Does the work once on a running peer and asserts its result.
    fn measure<P: JobPeer>(self, peer: &P, setup: &Setup) -> Vec<f64>;
}

/// Work that is written against [`ForkPeer`].
pub trait ForkWork: Copy + 'static {
    /// Does the work once on a running peer and asserts its result.
    fn measure<P: ForkPeer>(self, peer: &P, setup: &Setup) -> Vec<f64>;
}

/// Work that is written against [`EchoPeer`].
pub trait EchoWork: Copy + 'static {
    /// Does the work once on a running peer and asserts its result.
    fn measure<P: EchoPeer>(self, peer: &P, setup: &Setup) -> Vec<f64>;
}

/// Work that is written against [`ComputePeer`].
pub trait ComputeWork: Copy + 'static {
    /// Does the work once on a running peer and asserts its result.
    fn measure<P: ComputePeer>(self, peer: &P, setup: &Setup) -> Vec<f64>;
}

impl Case {
    /// A case without peers.
    pub fn new(name: impl Into<String>, metrics: impl Into<Vec<Metric>>) -> Case {
        Case { name: name.into(), metrics: metrics.into(), entries: Vec::new() }
    }

    /// Adds one peer by its name and its way to take a sample.
    pub fn entry(mut self, peer: &'static str, run: impl Fn(&Setup) -> Vec<f64> + 'static) -> Case {
        self.entries.push(Entry { peer, run: Box::new(run) });
        self
    }

    /// Adds the same work done without any runtime; the sample is the second of two runs, as for
    /// the peers.
    pub fn floor(self, run: impl Fn(&Setup) -> Vec<f64> + 'static) -> Case {
        self.entry("floor", move |setup| {
            run(setup);
            run(setup)
        })
    }

    /// Adds one peer; a sample is the second of two runs on a freshly started one.
    fn peer<P: Peer>(
        self,
        drivers: Drivers,
        measure: impl Fn(&P, &Setup) -> Vec<f64> + 'static,
    ) -> Case {
        self.entry(P::NAME, move |setup| {
            let peer = P::start(setup.workers, drivers);
            measure(&peer, setup);
            measure(&peer, setup)
        })
    }

    /// Adds one async runtime, without its drivers where it can do without.
    fn async_peer<P: AsyncPeer>(self, work: impl AsyncWork) -> Case {
        self.peer::<P>(Drivers::Off, move |peer, setup| work.measure(peer, setup))
    }

    /// Adds one runtime that has timers.
    fn timer_peer<P: TimerPeer>(self, work: impl TimerWork) -> Case {
        self.peer::<P>(Drivers::On, move |peer, setup| work.measure(peer, setup))
    }

    /// Adds one fork-join pool.
    fn fork_peer<P: ForkPeer>(self, work: impl ForkWork) -> Case {
        self.peer::<P>(Drivers::Off, move |peer, setup| work.measure(peer, setup))
    }

    /// Adds every async runtime but Forte.
    pub fn async_peers(self, work: impl AsyncWork) -> Case {
        self.async_peer::<Weftline>(work).async_peer::<Tokio>(work).async_peer::<Smol>(work)
    }

    /// Adds Forte where the program is built with it.
    #[cfg(feature = "forte")]
    pub fn forte(self, work: impl AsyncWork) -> Case {
        self.async_peer::<crate::peers::forte::Forte>(work)
    }

    /// Adds Forte where the program is built with it.
    #[cfg(not(feature = "forte"))]
    pub fn forte(self, _work: impl AsyncWork) -> Case {
        self
    }

    /// Adds bare operating system threads, one per task.
    pub fn threads(self, work: impl AsyncWork) -> Case {
        self.async_peer::<Threads>(work)
    }

    /// Adds every async runtime that has timers.
    pub fn timer_peers(self, work: impl TimerWork) -> Case {
        self.timer_peer::<Weftline>(work).timer_peer::<Tokio>(work).timer_peer::<Smol>(work)
    }

    /// Adds one runtime that has sockets. A sample of such work warms up by itself.
    fn echo_peer<P: EchoPeer>(self, work: impl EchoWork) -> Case {
        self.entry(P::NAME, move |setup| work.measure(&P::start(setup.workers, Drivers::On), setup))
    }

    /// Adds every async runtime that has sockets.
    pub fn echo_peers(self, work: impl EchoWork) -> Case {
        self.echo_peer::<Weftline>(work).echo_peer::<Tokio>(work).echo_peer::<Smol>(work)
    }

    /// Adds one way to serve and to compute. A sample of such work warms up by itself.
    fn compute_peer<P: ComputePeer>(self, name: &'static str, work: impl ComputeWork) -> Case {
        self.entry(name, move |setup| work.measure(&P::start(setup.workers), setup))
    }

    /// Adds every async runtime that has sockets, with what its users compute on.
    pub fn compute_peers(self, work: impl ComputeWork) -> Case {
        self.compute_peer::<Weftline>(Weftline::NAME, work)
            .compute_peer::<BesideRayon<Tokio>>("tokio+rayon", work)
            .compute_peer::<BesideRayon<Smol>>("smol+rayon", work)
    }

    /// Adds every pool that runs closures and can be told to run one more.
    pub fn job_peers(self, work: impl JobWork) -> Case {
        self.peer::<Rayon>(Drivers::Off, move |peer, setup| work.measure(peer, setup))
    }

    /// Adds every pool that offers fork-join.
    pub fn fork_peers(self, work: impl ForkWork) -> Case {
        self.fork_peer::<Weftline>(work).fork_peer::<Rayon>(work).fork_peer::<Chili>(work)
    }
}

/// A question about the peers, answered by one case or several.
pub struct Workload {
    /// The number in the list of workloads.
    pub number: u32,
    /// The name, also on the command line.
    pub name: &'static str,
    /// Why the workload cannot run here, if so.
    pub skipped: Option<String>,
    /// Its variants.
    pub cases: Vec<Case>,
}

impl Workload {
    /// A workload that can run.
    pub fn new(number: u32, name: &'static str, cases: Vec<Case>) -> Workload {
        Workload { number, name, skipped: None, cases }
    }

    /// Whether `word` of the command line means this workload.
    pub fn is_meant_by(&self, word: &str) -> bool {
        word == self.name || word.parse() == Ok(self.number)
    }

    /// The names of all peers that take part in some case.
    pub fn peers(&self) -> impl Iterator<Item = &'static str> {
        self.cases.iter().flat_map(|case| case.entries.iter().map(|entry| entry.peer))
    }
}

/// The samples of one metric of one case on one peer, in the order they were taken.
#[derive(Clone, Debug)]
pub struct Series {
    /// The case's name with the metric's suffix.
    pub workload: String,
    /// The peer's name.
    pub peer: &'static str,
    /// The unit of the values.
    pub unit: &'static str,
    /// One value per sample.
    pub values: Vec<f64>,
}

/// Measures the workloads on the peers that `takes_part` names and hands each case's rows to
/// `report` when it is done.
///
/// The samples of a case are taken round robin: one of each peer, then the next of each. Each round
/// begins with another peer, so that none always follows the same neighbour.
pub fn measure(
    workloads: &[Workload],
    takes_part: impl Fn(&str) -> bool,
    samples: usize,
    setup: &Setup,
    mut report: impl FnMut(&ProgressBar, &[Series]),
) {
    let chosen: Vec<(&Case, Vec<&Entry>)> = workloads
        .iter()
        .flat_map(|workload| &workload.cases)
        .map(|case| (case, case.entries.iter().filter(|entry| takes_part(entry.peer)).collect()))
        .collect();
    let total: usize = chosen.iter().map(|(_, entries)| entries.len() * samples).sum();
    let bar = ProgressBar::new(total as u64).with_style(
        ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {msg}")
            .expect("the template is valid"),
    );
    for (case, entries) in chosen {
        let mut rows = empty_rows(case, &entries);
        let figures = case.metrics.len();
        for round in 0..samples {
            for step in 0..entries.len() {
                let place = (round + step) % entries.len();
                bar.set_message(format!("{} {}", case.name, entries[place].peer));
                let values = (entries[place].run)(setup);
                assert_eq!(values.len(), figures, "{}: one value per metric", case.name);
                for (row, value) in rows[place * figures..].iter_mut().zip(values) {
                    row.values.push(value);
                }
                bar.inc(1);
            }
        }
        report(&bar, &rows);
    }
    bar.finish_and_clear();
}

/// One empty row per peer and metric, a peer's metrics side by side.
fn empty_rows(case: &Case, entries: &[&Entry]) -> Vec<Series> {
    let row = |entry: &&Entry, metric: &Metric| Series {
        workload: format!("{}{}", case.name, metric.suffix),
        peer: entry.peer,
        unit: metric.unit,
        values: Vec::new(),
    };
    entries
        .iter()
        .flat_map(|entry| case.metrics.iter().map(move |metric| row(entry, metric)))
        .collect()
}
