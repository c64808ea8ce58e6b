//! The repository as the rules see it: every text file, and every Rust file split in lines.
//!
//! Build output and what version control keeps for itself are left out. Next: `tests/repository.rs`,
//! which applies each rule to this tree.

use crate::source::Source;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold no text of ours.
const SKIPPED_FOLDERS: [&str; 2] = [".git", "target"];

/// A text file.
#[derive(Clone, Debug)]
pub struct Page {
    /// The file, relative to the repository, with `/` between its parts.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl Page {
    /// A file `path` with the content `text`.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// All text files below one folder.
#[derive(Debug, Default)]
pub struct Tree {
    /// Every text file, Rust included, in the order of their paths.
    pub pages: Vec<Page>,
    /// Every Rust file.
    pub sources: Vec<Source>,
}

impl Tree {
    /// Reads the repository this crate lies in.
    ///
    /// # Panics
    ///
    /// When a folder or a file cannot be read.
    pub fn of_the_repository() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut files = Vec::new();
        collect(&root, &mut files);
        let pages = files.iter().filter_map(|file| {
            let bytes = fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            let path = file.strip_prefix(&root).ok()?.to_str()?.replace('\\', "/");
            Some(Page { path, text: String::from_utf8(bytes).ok()? })
        });
        Self::new(pages.collect())
    }

    /// Puts a tree together from its files.
    pub fn new(mut pages: Vec<Page>) -> Self {
        pages.sort_by(|a, b| a.path.cmp(&b.path));
        let rust = pages.iter().filter(|page| page.path.ends_with(".rs"));
        let mut sources: Vec<_> = rust.map(|page| Source::new(&page.path, &page.text)).collect();
        for folder in test_folders(&sources) {
            let file = format!("{folder}.rs");
            let within = format!("{folder}/");
            for source in &mut sources {
                if source.path == file || source.path.starts_with(&within) {
                    source.mark_all_as_test();
                }
            }
        }
        Self { pages, sources }
    }

    /// The content of the file `path`, if there is one.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.pages.iter().find(|page| page.path == path).map(|page| page.text.as_str())
    }

    /// The files written in Markdown.
    pub fn markdown(&self) -> impl Iterator<Item = &Page> {
        self.pages.iter().filter(|page| page.path.ends_with(".md"))
    }

    /// The Rust files below the folder `prefix`.
    pub fn sources_in<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Source> {
        self.sources.iter().filter(move |source| source.path.starts_with(prefix))
    }

    /// The manifests of the packages and of the workspace.
    pub fn manifests(&self) -> impl Iterator<Item = &Page> {
        let is_manifest = |path: &str| path == "Cargo.toml" || path.ends_with("/Cargo.toml");
        self.pages.iter().filter(move |page| is_manifest(&page.path))
    }
}

/// Where the modules lie that are declared for tests alone, without `.rs`.
fn test_folders(sources: &[Source]) -> Vec<String> {
    let mut folders = Vec::new();
    for source in sources {
        let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        let own = match file {
            "mod.rs" | "lib.rs" | "main.rs" => folder.to_string(),
            _ => source.path.trim_end_matches(".rs").to_string(),
        };
        folders.extend(source.test_modules().iter().map(|name| format!("{own}/{name}")));
    }
    folders
}

/// Adds every file below `folder`.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if !path.is_dir() {
            files.push(path);
        } else if !SKIPPED_FOLDERS.iter().any(|skipped| name == *skipped) {
            collect(&path, files);
        }
    }
}
