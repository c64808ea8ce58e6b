//! Finding the first of several separators.

use std::io::BufRead;
use std::ops::Range;

/// Where in `bytes` the separator lies that ends first, of those that begin at `from` or later. None
/// is empty, and `from` is not behind the end.
pub(super) fn first(bytes: &[u8], separators: &[&[u8]], from: usize) -> Option<Range<usize>> {
    let places = separators.iter().filter_map(|separator| {
        let start = find(&bytes[from..], separator)? + from;
        Some(start..start + separator.len())
    });
    places.min_by_key(|place| place.end)
}

/// Where `wanted`, which is not empty, begins in `bytes`.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let start = from + find_byte(&bytes[from..], wanted[0])?;
        if bytes[start..].starts_with(wanted) {
            return Some(start);
        }
        from = start + 1;
    }
}

/// Where `byte` is in `bytes`. Searched by std, which looks at many bytes at once.
fn find_byte(mut bytes: &[u8], byte: u8) -> Option<usize> {
    let all = bytes;
    let end = bytes.skip_until(byte).ok()?;
    all[..end].last().filter(|last| **last == byte).map(|_| end - 1)
}
