//! The table: one row for each measurement, redrawn in place on a terminal while it goes on.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often a row is redrawn.
const REDRAWN_EVERY: Duration = Duration::from_millis(250);
/// Back to the beginning of the line, and clear it.
const CLEAR: &str = "\r\x1b[2K";

/// What is measured of one server under one kind of work.
pub struct Figures {
    /// What the other tasks did.
    work: &'static str,
    /// Who served.
    server: &'static str,
    /// Jobs done per second, where there are any to do.
    pub jobs_per_s: Option<f64>,
    /// One for each answer.
    latencies: Vec<Duration>,
}

impl Figures {
    /// None yet.
    pub fn new(work: &'static str, server: &'static str) -> Figures {
        Figures { work, server, jobs_per_s: None, latencies: Vec::new() }
    }

    /// Adds latencies.
    pub fn add(&mut self, latencies: Vec<Duration>) {
        self.latencies.extend(latencies);
    }

    /// All latencies, the shortest first.
    pub fn sorted(&mut self) -> &[Duration] {
        self.latencies.sort_unstable();
        &self.latencies
    }

    /// The row of the table.
    fn row(&mut self) -> String {
        let (work, server, jobs) = (self.work, self.server, self.jobs_per_s);
        let sorted = self.sorted();
        let at = |share: f64| {
            let place = (sorted.len() as f64 * share) as usize;
            sorted.get(place.min(sorted.len().saturating_sub(1))).map_or("-".to_owned(), text)
        };
        let jobs = jobs.map_or("-".to_owned(), |jobs| format!("{jobs:.1}"));
        line([work, server, &at(0.5), &at(0.99), &at(0.999), &at(1.0), &jobs])
    }
}

/// A time with three digits and its unit.
pub fn text(time: &Duration) -> String {
    let seconds = time.as_secs_f64();
    let (number, unit) = match seconds {
        ..1e-3 => (seconds * 1e6, "µs"),
        ..1.0 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    let places = if number < 10.0 { 2 } else { usize::from(number < 100.0) };
    format!("{number:.places$} {unit}")
}

/// One line, in columns.
fn line([work, server, p50, p99, p999, max, jobs]: [&str; 7]) -> String {
    format!("{work:<16} {server:<14} {p50:>9} {p99:>9} {p999:>9} {max:>9} {jobs:>8}")
}

/// The table on standard output.
pub struct Table {
    /// When the last row was drawn, where it is redrawn.
    drawn: Option<Instant>,
}

impl Table {
    /// Writes the heading.
    pub fn begin() -> Table {
        println!("{}", line(["beside", "served by", "p50", "p99", "p99.9", "max", "jobs/s"]));
        Table { drawn: io::stdout().is_terminal().then(Instant::now) }
    }

    /// Shows a row that is not complete yet, now and then.
    pub fn redraw(&mut self, figures: &mut Figures) {
        if let Some(drawn) = self.drawn.as_mut().filter(|drawn| drawn.elapsed() >= REDRAWN_EVERY) {
            *drawn = Instant::now();
            print!("{CLEAR}{}", figures.row());
            let _ = io::stdout().flush();
        }
    }

    /// Completes a row.
    pub fn end_row(&mut self, figures: &mut Figures) {
        let clear = if self.drawn.is_some() { CLEAR } else { "" };
        println!("{clear}{}", figures.row());
    }
}
