//! What is computed: decoding, making smaller, encoding.

use image::{ImageError, ImageFormat, RgbImage};
use std::io::Cursor;
use std::ops::Range;
use weftline::par;

/// Bytes of a pixel.
const PIXEL: usize = 3;

/// The thumbnail of an encoded image as PNG, and its width and height, of which neither is more than
/// `size`.
pub fn thumbnail(encoded: &[u8], size: u32) -> Result<(Vec<u8>, (u32, u32)), ImageError> {
    let image = image::load_from_memory(encoded)?.into_rgb8();
    let small = shrink(&image, size);
    let mut png = Cursor::new(Vec::new());
    small.write_to(&mut png, ImageFormat::Png)?;
    Ok((png.into_inner(), small.dimensions()))
}

/// Makes an image smaller, if it is larger than that: each pixel is the mean of those in its place.
fn shrink(image: &RgbImage, size: u32) -> RgbImage {
    let (width, height) = image.dimensions();
    let longer = width.max(height);
    if longer <= size {
        return image.clone();
    }
    let scaled = |length: u32| (u64::from(length) * u64::from(size) / u64::from(longer)).max(1);
    let mut small = RgbImage::new(scaled(width) as u32, scaled(height) as u32);
    let (columns, rows) = (small.width() as usize, small.height() as usize);
    let lines = par::chunks_mut(&mut small, columns * PIXEL);
    par::for_each(par::enumerate(lines), |(row, line)| {
        let above = part(row, rows, height as usize);
        for (column, pixel) in line.chunks_exact_mut(PIXEL).enumerate() {
            let beside = part(column, columns, width as usize);
            pixel.copy_from_slice(&mean(image, beside, above.clone()));
        }
    });
    small
}

/// Which of `length` pixels go into the one at `place` of `count`.
fn part(place: usize, count: usize, length: usize) -> Range<usize> {
    place * length / count..(place + 1) * length / count
}

/// The mean colour of a part of an image.
fn mean(image: &RgbImage, columns: Range<usize>, rows: Range<usize>) -> [u8; PIXEL] {
    let width = image.width() as usize;
    let count = (columns.len() * rows.len()) as u64;
    let mut sums = [0_u64; PIXEL];
    for row in rows {
        let pixels = (row * width + columns.start) * PIXEL..(row * width + columns.end) * PIXEL;
        for pixel in image.as_raw()[pixels].chunks_exact(PIXEL) {
            sums.iter_mut().zip(pixel).for_each(|(sum, part)| *sum += u64::from(*part));
        }
    }
    sums.map(|sum| (sum / count) as u8)
}
