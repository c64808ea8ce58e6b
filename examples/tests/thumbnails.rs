//! Runs `thumbnails` on made-up folders.

mod terminal;

use image::{Rgb, RgbImage};
use std::fs;
use std::process::{Command, Output};

const THUMBNAILS: &str = env!("CARGO_BIN_EXE_thumbnails");

fn thumbnails(arguments: &[&str]) -> Output {
    Command::new(THUMBNAILS).args(arguments).output().unwrap()
}

/// Exit code, output and errors.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn it_makes_images_of_its_own() {
    let expected = "\
waves-0.png: 160 × 120
waves-1.jpg: 160 × 106
waves-2.png: 160 × 100
waves-3.jpg: 160 × 96
waves-4.png: 160 × 93
waves-5.jpg: 160 × 91
6 of 6 images
";
    assert_eq!(said(&thumbnails(&[])), (Some(0), expected.to_owned(), String::new()));
}

#[test]
fn a_thumbnail_looks_like_its_image_and_what_is_broken_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Left half red, right half blue.
    let two = |x, _| if x < 500 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) };
    RgbImage::from_fn(1000, 10, two).save(path("wide.png")).unwrap();
    RgbImage::from_pixel(30, 900, Rgb([10, 200, 10])).save(path("high.JPG")).unwrap();
    RgbImage::from_pixel(7, 5, Rgb([1, 2, 3])).save(path("small.png")).unwrap();
    fs::write(path("broken.png"), "no image").unwrap();
    fs::write(path("notes.txt"), "no image").unwrap();
    let into = path("made");
    let output = thumbnails(&[
        "--size=100",
        "--at-once=2",
        "--into",
        into.to_str().unwrap(),
        folder.path().to_str().unwrap(),
    ]);
    let (code, said, errors) = said(&output);
    assert_eq!((code, errors), (Some(1), String::new()));
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].starts_with("broken.png: "), "{said}");
    assert_eq!(
        lines[1..],
        ["high.JPG: 3 × 100", "small.png: 7 × 5", "wide.png: 100 × 1", "3 of 4 images"]
    );

    let made = |name: &str| image::open(into.join(name)).unwrap().into_rgb8();
    let wide = made("wide.png");
    assert_eq!((*wide.get_pixel(0, 0), *wide.get_pixel(99, 0)), (two(0, 0), two(999, 0)));
    assert_eq!(*made("small.png").get_pixel(6, 4), Rgb([1, 2, 3]));
    let green = made("high.png").get_pixel(1, 50).0;
    assert!(green.iter().zip([10, 200, 10]).all(|(seen, is)| seen.abs_diff(is) < 8), "{green:?}");
    assert_eq!(fs::read_dir(&into).unwrap().count(), 3);
}

#[test]
fn a_terminal_shows_how_far_it_is() {
    let (status, shown) = terminal::shown_by(Command::new(THUMBNAILS));
    assert!(status.success());
    assert!(shown.contains("1/6 images, "), "{shown:?}");
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let (code, said, errors) = said(&thumbnails(&[missing.to_str().unwrap()]));
    assert_eq!((code, said), (Some(1), String::new()));
    let expected = format!("thumbnails: cannot read {}: ", missing.display());
    assert!(errors.starts_with(&expected), "{errors}");
    assert!(!missing.exists(), "it was made");
}
