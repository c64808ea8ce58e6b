//! The search: which tasks there are, and what they wait for.
//!
//! A folder is a task: a blocking job lists it, and then it starts a task for each folder inside.
//! When all have ended, the files of each size become a task that compares them. Every handle
//! cancels its task when it is dropped, so that cancelling the one task at the top cancels them all;
//! blocking jobs that have begun look at `is_stopped`.

use super::findings::{File, Findings, Skipped};
use super::options::Options;
use super::progress::Progress;
use super::read::{self, FIRST_BLOCK, Part};
use super::report::Report;
use super::text::name;
use super::walk::{self, Folder, Listing};
use blake3::Hash;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use weftline::{JoinError, JoinHandle};

/// What all tasks of a search share.
#[derive(Debug)]
pub struct Search {
    /// The least size of a file in bytes.
    pub min_size: u64,
    /// Whether the search stays on the file system of each folder given.
    pub one_file_system: bool,
    /// What the user sees meanwhile.
    pub progress: Progress,
    /// Whether duplicates are told at once.
    verbose: bool,
    /// Whether jobs should end early.
    stopped: AtomicBool,
    /// What is known so far.
    findings: Mutex<Findings>,
}

impl Search {
    pub fn new(options: &Options) -> Self {
        Self {
            min_size: options.min_size,
            one_file_system: options.one_file_system,
            progress: Progress::new(),
            verbose: options.verbose,
            stopped: AtomicBool::new(false),
            findings: Mutex::default(),
        }
    }

    /// Searches below what is given. The result is in the report.
    pub async fn run(self: Arc<Self>, given: Vec<PathBuf>) -> Result<(), JoinError> {
        let roots = self.job(|search| walk::roots(search, given)).await?;
        let files = self.below(roots).await?;
        let names = files.len();
        let files = merge_hard_links(files);
        self.findings().skip(Skipped::HardLink, names - files.len());
        let sizes = by_size(files);
        let bytes = sizes.iter().flatten().map(|file| file.size).fold(0, u64::saturating_add);
        self.progress.compare(bytes);
        let tasks: Vec<_> = sizes
            .into_iter()
            .map(|files| weftline::spawn(self.clone().compare(files)).cancel_on_drop())
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(())
    }

    /// The files of a listing, and of all folders below it.
    async fn below(self: &Arc<Self>, listing: Listing) -> Result<Vec<File>, JoinError> {
        self.findings().add_listing(listing.findings);
        let mut files = listing.files;
        let tasks: Vec<_> =
            listing.folders.into_iter().map(|folder| self.clone().walk(folder)).collect();
        for task in tasks {
            files.append(&mut task.await??);
        }
        Ok(files)
    }

    /// A task for a folder.
    fn walk(self: Arc<Self>, folder: Folder) -> JoinHandle<Result<Vec<File>, JoinError>> {
        let task = async move {
            let listing = self.job(|search| walk::list(search, folder)).await?;
            self.below(listing).await
        };
        weftline::spawn(task).cancel_on_drop()
    }

    /// Compares files of one size.
    async fn compare(self: Arc<Self>, files: Vec<File>) -> Result<(), JoinError> {
        let size = files[0].size;
        if size <= FIRST_BLOCK {
            self.hash_all(files, Part::Whole).await?;
            return Ok(());
        }
        let mut starts: HashMap<Hash, Vec<File>> = HashMap::new();
        for (file, hash) in self.hash_all(files, Part::Start).await? {
            starts.entry(hash).or_default().push(file);
        }
        let unique = starts.values().filter(|files| files.len() == 1).count();
        self.progress.compared(size.saturating_mul(unique as u64));
        let alike = starts.into_values().filter(|files| files.len() > 1).flatten();
        self.hash_all(alike.collect(), Part::Whole).await?;
        Ok(())
    }

    /// The hashes of a part of each file, for those that could be read.
    async fn hash_all(
        self: &Arc<Self>,
        files: Vec<File>,
        part: Part,
    ) -> Result<Vec<(File, Hash)>, JoinError> {
        let hash = |file: File| {
            self.job(move |search| {
                let hash = read::hash(search, &file, part)?;
                if part == Part::Whole {
                    search.matched(&file, hash);
                }
                Some((file, hash))
            })
        };
        let jobs: Vec<_> = files.into_iter().map(hash).collect();
        let mut hashes = Vec::with_capacity(jobs.len());
        for job in jobs {
            hashes.extend(job.await?);
        }
        Ok(hashes)
    }

    /// Something that may wait for the disk, with one file or folder open at most.
    fn job<T: Send + 'static>(
        self: &Arc<Self>,
        job: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let search = self.clone();
        weftline::spawn_blocking(move || job(&search)).cancel_on_drop()
    }
}

/// What anybody may ask of a search.
impl Search {
    /// Asks blocking jobs to end early. Whether they had been asked before.
    pub fn stop(&self) -> bool {
        // Relaxed: nothing else is passed on by it.
        self.stopped.swap(true, Ordering::Relaxed)
    }

    /// Whether blocking jobs should end early.
    pub fn is_stopped(&self) -> bool {
        // Relaxed: nothing else is passed on by it.
        self.stopped.load(Ordering::Relaxed)
    }

    /// Notes what could not be compared.
    pub fn problem(&self, path: &Path, skipped: Skipped, reason: impl ToString) {
        self.findings().problem(path.to_owned(), skipped, reason);
    }

    /// What is known by now.
    pub fn report(&self) -> Report {
        Report::new(&self.findings(), self.is_stopped())
    }

    /// Notes that a file was read whole.
    fn matched(&self, file: &File, hash: Hash) {
        let mut findings = self.findings();
        let same = findings.same.entry((file.size, hash)).or_default();
        same.push(file.clone());
        if !self.verbose || same.len() < 2 {
            return;
        }
        let line =
            format!("same content: {} and {}", name(&same[0].names[0]), name(&file.names[0]));
        // Before the line is written: whoever reads it may rely on it being in the report.
        drop(findings);
        self.progress.say(&line);
    }

    fn findings(&self) -> MutexGuard<'_, Findings> {
        // Each change is one step, so that a panic leaves nothing half done.
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes one file of all names of one inode.
fn merge_hard_links(listed: Vec<File>) -> Vec<File> {
    let mut files: HashMap<(u64, u64), File> = HashMap::with_capacity(listed.len());
    for file in listed {
        match files.entry(file.id) {
            Entry::Vacant(place) => drop(place.insert(file)),
            Entry::Occupied(mut first) => first.get_mut().names.extend(file.names),
        }
    }
    // Folders are listed in any order.
    files.values_mut().for_each(|file| file.names.sort());
    files.into_values().collect()
}

/// Files that have their size in common with others, the largest first: they are worth most where
/// the search is stopped early.
fn by_size(files: Vec<File>) -> Vec<Vec<File>> {
    let mut sizes: BTreeMap<u64, Vec<File>> = BTreeMap::new();
    for file in files {
        sizes.entry(file.size).or_default().push(file);
    }
    sizes.into_values().rev().filter(|files| files.len() > 1).collect()
}
