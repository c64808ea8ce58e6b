//! A crawler: follows the links of a site, several pages at once, each with a time limit.
//!
//! Without an address it crawls a small site of its own, which it serves on this machine, with links
//! that lead nowhere and a page that never answers. Ctrl-C ends it at once and tells what is known by
//! then.
//!
//! What it shows: a [`group()`] whose children are the pages, a limit on how many of them run at once,
//! a [`timeout`] around each, a report in [`finally`] that is written however the crawl ends, and
//! [`try_run`](weftline::runtime::Builder::try_run), which says that it was Ctrl-C.
//!
//! ```text
//! cargo run --bin crawl
//! cargo run --bin crawl -- --at-once 2 --patience-ms 50 --verbose
//! ```

mod crawl {
    pub mod page;
    pub mod site;
}

use clap::Parser;
use crawl::page::{Page, Problem};
use crawl::site;
use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use weftline::runtime::RunError;
use weftline::time::timeout;
use weftline::{Child, Group, GroupError, Runtime, finally, group};

/// What Ctrl-C ends with, as shells expect it.
const INTERRUPTED: u8 = 130;

/// Follows the links of a site, several pages at once.
#[derive(Debug, Parser)]
#[command(after_help = "Example: cargo run --bin crawl -- --at-once 2 --patience-ms 50 --verbose")]
struct Options {
    /// Where the site is served; a small one of its own, if nothing is given
    address: Option<SocketAddr>,
    /// How many pages are fetched at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
    /// How long a page may take, in milliseconds
    #[arg(long, default_value_t = 300)]
    patience_ms: u64,
    /// Says which page is fetched
    #[arg(long)]
    verbose: bool,
}

/// What is known of a site so far.
#[derive(Debug, Default)]
struct Report {
    /// The pages that were read, and their sizes in bytes.
    pages: BTreeMap<String, usize>,
    /// Those that were not, and why.
    problems: BTreeMap<String, Problem>,
}

/// A crawl under way.
#[derive(Clone, Debug)]
struct Crawl {
    /// Where the site is.
    site: SocketAddr,
    /// What was asked for.
    options: Arc<Options>,
    /// What is known so far.
    report: Arc<Mutex<Report>>,
}

impl Crawl {
    /// Visits all pages that can be reached from `/`, in rings: first what it links to, then what
    /// those link to, and so on.
    async fn run(self, pages: Group<io::Error>) -> io::Result<()> {
        let some = pages.limit(self.options.at_once.into());
        let mut known = BTreeSet::from([String::from("/")]);
        let mut ring = known.clone();
        while !ring.is_empty() {
            let mut visits: Vec<Child<BTreeSet<String>>> = Vec::new();
            for path in ring {
                // Waits until there is room.
                visits.push(some.spawn(self.clone().visit(path)).await);
            }
            ring = BTreeSet::new();
            for visit in visits {
                // The error of a visit ends the whole group, and so this, where it suspends.
                let Ok(links) = visit.await else { pending().await };
                ring.extend(links.into_iter().filter(|link| known.insert(link.clone())));
            }
        }
        Ok(())
    }

    /// Reads one page and says what it links to. Only the site's own address is worth ending the
    /// crawl for: what is wrong with a page is noted.
    async fn visit(self, path: String) -> io::Result<BTreeSet<String>> {
        if self.options.verbose {
            writeln!(io::stdout(), "GET {path}")?;
        }
        let patience = Duration::from_millis(self.options.patience_ms);
        let fetched = match timeout(patience, Page::fetch(self.site, &path)).await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Err(error);
            }
            Ok(Err(error)) => Err(Problem::Broken(error.to_string())),
            Ok(Ok(page)) => page.check(),
            Err(_elapsed) => Err(Problem::TooSlow),
        };
        let mut report = self.report.lock().expect("nobody panics with the report");
        match fetched {
            Ok(page) => {
                let links = page.links();
                report.pages.insert(path, page.body.len());
                Ok(links)
            }
            Err(problem) => {
                report.problems.insert(path, problem);
                Ok(BTreeSet::new())
            }
        }
    }
}

impl Report {
    fn write(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let bytes: usize = self.pages.values().sum();
        writeln!(out, "{} pages, {bytes} bytes", self.pages.len())?;
        for (path, problem) in &self.problems {
            writeln!(out, "{path}: {problem}")?;
        }
        Ok(())
    }
}

/// Crawls, and writes what is known however that ends.
async fn explore(options: Options) -> Result<(), GroupError<io::Error>> {
    let report = Arc::new(Mutex::new(Report::default()));
    let told = report.clone();
    let work = group(|g| async move {
        let site = match options.address {
            Some(address) => address,
            None => site::begin().await?,
        };
        Crawl { site, options: Arc::new(options), report }.run(g).await
    });
    let tell = async move {
        let report = told.lock().expect("nobody panics with the report");
        // Whoever closed the output has seen enough.
        let _ = report.write();
    };
    finally(work, tell).await
}

fn main() -> ExitCode {
    match Runtime::builder().try_run(explore(Options::parse())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            eprintln!("crawl: {error}");
            ExitCode::FAILURE
        }
        Err(RunError::Interrupted) => {
            println!("interrupted");
            INTERRUPTED.into()
        }
        Err(error) => {
            eprintln!("crawl: {error}");
            ExitCode::FAILURE
        }
    }
}
