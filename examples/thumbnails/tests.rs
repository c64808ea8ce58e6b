//! Which threads do the work for one image.

use crate::thumbnail;
use image::RgbImage;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use weftline::{Handle, Runtime};

#[test]
fn a_thumbnail_is_computed_by_a_job_of_the_workers_and_read_and_written_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let (image, into) = (folder.path().join("image.png"), folder.path().join("made"));
    RgbImage::new(400, 300).save(&image).unwrap();
    std::fs::create_dir(&into).unwrap();

    let on_workers = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = on_workers.clone();
    let runtime = Runtime::builder().max_relief_workers(0).on_task_poll_start(move |task| {
        if Handle::current().worker_index().is_some() {
            seen.lock().unwrap().insert(task.id());
        }
    });
    let runtime = runtime.build().unwrap();
    let task = runtime.spawn(thumbnail(image, into.clone(), 100));
    let id = task.id();
    assert_eq!(task.wait().unwrap().unwrap(), (100, 75));
    let on_workers = on_workers.lock().unwrap();
    assert!(on_workers.contains(&id));
    assert_eq!(on_workers.len(), 2, "the task, and what computes");
    assert!(into.join("image.png").exists());
}
