//! Images for those who have none at hand.

use image::{ImageError, Rgb, RgbImage};
use std::fs;
use std::path::Path;

/// Writes some images into a new folder: waves in several sizes, as PNG and as JPEG.
pub fn make(folder: &Path) -> Result<(), ImageError> {
    fs::create_dir_all(folder)?;
    for (n, kind) in ["png", "jpg", "png", "jpg", "png", "jpg"].into_iter().enumerate() {
        let (width, height) = (640 + 320 * n as u32, 480 + 160 * n as u32);
        let image = RgbImage::from_fn(width, height, |x, y| {
            let wave = |by: u32| (((x * (n as u32 + 1) + y * by) / 4) % 256) as u8;
            Rgb([wave(1), wave(2), wave(3)])
        });
        image.save(folder.join(format!("waves-{n}.{kind}")))?;
    }
    Ok(())
}
