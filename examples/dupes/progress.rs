//! The progress bar, where there is a terminal to show it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is shown while a search goes on: first the files found, then the bytes compared.
#[derive(Debug)]
pub struct Progress {
    /// The bar, which draws itself at most some twenty times a second.
    bar: ProgressBar,
}

impl Progress {
    pub fn new() -> Self {
        // It shows nothing where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style("{spinner} {human_pos} files found"));
        Self { bar }
    }

    /// So many more files were found.
    pub fn listed(&self, files: u64) {
        self.bar.inc(files);
    }

    /// From now on files are compared that have so many bytes.
    pub fn compare(&self, bytes: u64) {
        self.bar.set_style(style("{wide_bar} {bytes}/{total_bytes} compared, {eta} left"));
        self.bar.set_length(bytes);
        self.bar.reset();
    }

    /// So many more bytes were compared, or need not be.
    pub fn compared(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// A line of its own, above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates are valid")
}
