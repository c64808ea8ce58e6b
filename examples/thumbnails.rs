//! Makes a thumbnail of each PNG and JPEG image in a folder.
//!
//! Without a folder it makes some images of its own, in a folder that is gone at the end. What cannot be
//! read is told at the end; Ctrl-C ends the work where it is.
//!
//! What it shows: files are listed, read and written by [`spawn_blocking`], and decoded and made smaller
//! by [`compute`], all at the same time, each image by a task of its own. A limit bounds how many images
//! are in memory. Large images are made smaller row by row, by [`par`](weftline::par): the last one has
//! all workers to itself.
//!
//! ```text
//! cargo run --release --bin thumbnails
//! cargo run --release --bin thumbnails -- ~/Pictures --size 200 --into /tmp/thumbnails
//! ```
//!
//! `thumbnails/picture.rs` is what is computed, `thumbnails/samples.rs` makes the images.

mod thumbnails {
    pub mod picture;
    pub mod samples;
    #[cfg(test)]
    mod tests;
}

use clap::Parser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::error::Error;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, process};
use thumbnails::{picture, samples};
use weftline::runtime::RunError;
use weftline::{GroupError, Runtime, compute, group, spawn_blocking};

/// What Ctrl-C ends with, as shells expect it.
const INTERRUPTED: u8 = 130;

/// Makes thumbnails of the images in a folder.
#[derive(Clone, Debug, Parser)]
#[command(after_help = "Example: cargo run --release --bin thumbnails -- ~/Pictures --size 200")]
struct Options {
    /// The folder; images made by the program itself, if none is given
    folder: Option<PathBuf>,
    /// Where thumbnails go [default: the folder `thumbnails` in that of the images]
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
    /// The width and height that a thumbnail has at most, in pixels
    #[arg(long, default_value_t = 160, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    size: u32,
    /// How many images are worked on at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    at_once: u16,
}

/// What went wrong with one image.
type Problem = Box<dyn Error + Send + Sync>;

/// What one image came to: how large the thumbnail is.
type Outcome = Result<(u32, u32), Problem>;

/// Makes all thumbnails. Gives the images in the order of their names.
async fn work(folder: PathBuf, options: Options) -> Result<Vec<(PathBuf, Outcome)>, io::Error> {
    let into = options.into.unwrap_or_else(|| folder.join("thumbnails"));
    let listing = spawn_blocking(move || {
        let images = images(&folder).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot read {}: {error}", folder.display()))
        })?;
        fs::create_dir_all(&into)?;
        Ok::<_, io::Error>((into, images))
    });
    let (into, images) = listing.await??;
    let bar = progress(images.len() as u64);
    let made = group(|g| async move {
        let some = g.limit(options.at_once.into());
        let mut children = Vec::new();
        for image in images {
            let (bar, into) = (bar.clone(), into.clone());
            let make = async move {
                let outcome = thumbnail(image.clone(), into, options.size).await;
                bar.inc(1);
                Ok::<_, io::Error>((image, outcome))
            };
            // Waits until there is room.
            children.push(some.spawn(make).await);
        }
        let mut outcomes = Vec::new();
        for child in children {
            outcomes.extend(child.await);
        }
        bar.finish_and_clear();
        Ok(outcomes)
    });
    made.await.map_err(first_error)
}

/// One image, from file to file.
async fn thumbnail(image: PathBuf, into: PathBuf, size: u32) -> Outcome {
    let name = image.file_stem().unwrap_or(OsStr::new("image")).to_owned();
    let encoded = spawn_blocking(move || fs::read(image)).await??;
    let (png, dimensions) = compute(move || picture::thumbnail(&encoded, size)).await??;
    let mut file = into.join(name);
    file.as_mut_os_string().push(".png");
    spawn_blocking(move || fs::write(file, png)).await??;
    Ok(dimensions)
}

/// The images in a folder, by their names.
fn images(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut images = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let kind = path.extension().map(OsStr::to_ascii_lowercase).unwrap_or_default();
        if path.is_file() && ["png", "jpg", "jpeg"].into_iter().any(|known| kind == known) {
            images.push(path);
        }
    }
    images.sort();
    Ok(images)
}

/// A bar for so many images, which shows itself where standard error is a terminal.
fn progress(images: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} images, {eta} left");
    ProgressBar::with_draw_target(Some(images), ProgressDrawTarget::stderr())
        .with_style(style.expect("the template is valid"))
}

/// No child of the group fails, so that it fails by its body alone.
fn first_error(error: GroupError<io::Error>) -> io::Error {
    io::Error::other(error.to_string())
}

/// Works and tells what came out. False: not every image has a thumbnail.
async fn run(mut options: Options) -> Result<bool, Problem> {
    let given = options.folder.take();
    let own = given.is_none().then(|| format!("weftline-thumbnails-{}", process::id()));
    let own = own.map(|name| std::env::temp_dir().join(name));
    if let Some(own) = own.clone() {
        spawn_blocking(move || samples::make(&own)).await??;
    }
    let folder = given.or_else(|| own.clone()).expect("there is one or the other");
    let made = work(folder, options).await;
    if let Some(own) = own {
        spawn_blocking(move || fs::remove_dir_all(own)).await??;
    }
    let made = made?;
    let mut out = io::stdout().lock();
    for (image, outcome) in &made {
        let name = Path::new(image.file_name().unwrap_or_default()).display();
        match outcome {
            Ok((width, height)) => writeln!(out, "{name}: {width} × {height}")?,
            Err(problem) => writeln!(out, "{name}: {problem}")?,
        }
    }
    let good = made.iter().filter(|(_, outcome)| outcome.is_ok()).count();
    writeln!(out, "{good} of {} images", made.len())?;
    Ok(good == made.len())
}

fn main() -> ExitCode {
    match Runtime::builder().try_run(run(Options::parse())) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::FAILURE,
        Ok(Err(error)) => {
            eprintln!("thumbnails: {error}");
            ExitCode::FAILURE
        }
        Err(RunError::Interrupted) => {
            println!("interrupted");
            INTERRUPTED.into()
        }
        Err(error) => {
            eprintln!("thumbnails: {error}");
            ExitCode::FAILURE
        }
    }
}
