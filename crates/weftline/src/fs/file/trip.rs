//! What a [`File`] does on another thread, one trip at a time.
//!
//! A file holds the trip that is under way, and each call waits for it first: so calls happen in their order, and what comes of a
//! trip whose caller has gone is there for the next one. Only the poll that makes a trip out of a call
//! takes anything from its caller.
//!
//! The file may be that of two tasks, of which one reads and the other one writes ([`Side`]). The poll that finds a trip over may
//! be of either, so it notes the outcome for whom it concerns, and both are woken.

use super::File;
use crate::fs::errand::Errand;
use crate::sync::{Audience, Place};
use crate::task::budget;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::{fmt, fs};

/// How many bytes a trip moves at most. Value picked out of thin air: copying them takes longer than the
/// way to the other thread.
const MOST_BYTES: usize = 256 * 1024;

/// Bytes that were read and that nobody has taken.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// They are in here, from `start` to `end`. It is kept, since clearing a new one for each trip takes
    /// as long as reading.
    bytes: Vec<u8>,
    /// Where they begin.
    start: usize,
    /// Where they end.
    end: usize,
}

impl Ahead {
    fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// How far the place of the file is ahead of its reader.
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }

    fn clear(&mut self) {
        self.end = self.start;
    }
}

/// A trip that is under way.
pub(super) enum Trip {
    Reading(Errand<(Vec<u8>, io::Result<usize>)>),
    Writing(Errand<Result<Written, Unwritten>>),
    Seeking(SeekFrom, Errand<io::Result<u64>>),
}

impl Trip {
    fn is_over(&self) -> bool {
        match self {
            Self::Reading(errand) => errand.is_over(),
            Self::Writing(errand) => errand.is_over(),
            Self::Seeking(_, errand) => errand.is_over(),
        }
    }
}

/// What comes back from a trip that wrote.
pub(super) struct Written {
    /// What was to be written.
    bytes: Vec<u8>,
    /// Before that the place was moved back to where the reader is.
    moved_back: bool,
    /// How much of it was written.
    count: usize,
}

/// What comes back from one that did not.
pub(super) struct Unwritten {
    /// What was to be written.
    bytes: Vec<u8>,
    /// Before that the place was moved back to where the reader is.
    moved_back: bool,
    /// Why it was not.
    error: io::Error,
}

/// What has come of trips, until the caller that it belongs to takes it. Each kind has a place of its own, since whoever
/// reads may find a trip over that one who writes has begun, and the other way round.
#[derive(Default)]
pub(super) struct Outcomes {
    /// A read that brought no bytes: the end, or an error.
    read: Option<io::Result<()>>,
    /// Of writing the bytes that are in `File::wrote`.
    wrote: Option<io::Result<usize>>,
    /// Of the last trip, if that was a seek: it holds until something else was done.
    sought: Option<(SeekFrom, io::Result<u64>)>,
}

impl Outcomes {
    /// Whoever has the file as a whole begins something new: what has come of earlier calls concerns nobody any more,
    /// errors aside.
    fn settle(&mut self) {
        drop(self.read.take_if(|read| read.is_ok()));
        drop(self.wrote.take_if(|wrote| wrote.is_ok()));
        self.sought = None;
    }
}

impl Drop for Outcomes {
    /// Has an error reported that nobody asks for any more, as that of a trip is.
    fn drop(&mut self) {
        if let Some(Err(error)) = self.wrote.take() {
            let unwritten = Unwritten { bytes: Vec::new(), moved_back: false, error };
            // Outside of a runtime there is nobody to report to.
            drop(Errand::send(|| Err::<(), _>(unwritten)).map(Errand::report_error));
        }
    }
}

/// Those who wait for a trip: each waits for whatever is under way, and so all are woken when it is over.
#[derive(Default)]
pub(super) struct Waiting {
    /// Their wakers.
    audience: Arc<Audience>,
    /// The place of whoever reads or seeks.
    reader: Place,
    /// The place of whoever writes.
    writer: Place,
}

/// What a caller does with a file. Of two tasks that have it, one reads, and the other one writes.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Reads,
    Writes,
}

impl Waiting {
    /// From now on the side's caller is woken when the trip is over.
    fn enter(&mut self, side: Side, cx: &Context<'_>) {
        let place = match side {
            Side::Reads => &mut self.reader,
            Side::Writes => &mut self.writer,
        };
        self.audience.enter(place, cx.waker());
    }
}

impl File {
    /// Waits for the trip that is under way, and notes what has come of it.
    fn poll_trip(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<()> {
        let Some(trip) = &mut self.trip else { return Poll::Ready(()) };
        if !trip.is_over() {
            self.waiting.enter(side, cx);
        }
        let waker = Waker::from(self.waiting.audience.clone());
        let cx = &mut Context::from_waker(&waker);
        let mut sought = None;
        match trip {
            Trip::Reading(errand) => {
                let result = ready!(errand.poll(cx)).and_then(|(bytes, result)| {
                    let end = *result.as_ref().unwrap_or(&0);
                    self.ahead = Ahead { bytes, start: 0, end };
                    result
                });
                self.outcomes.read = (self.ahead.len() == 0).then(|| result.map(drop));
            }
            Trip::Writing(errand) => {
                let (bytes, moved_back, result) = match ready!(errand.poll(cx)) {
                    Ok(Ok(back)) => (back.bytes, back.moved_back, Ok(back.count)),
                    Ok(Err(back)) => (back.bytes, back.moved_back, Err(back.error)),
                    Err(error) => (Vec::new(), false, Err(error)),
                };
                self.wrote = bytes;
                if moved_back {
                    self.ahead.clear();
                }
                self.outcomes.wrote = Some(result);
            }
            Trip::Seeking(to, errand) => {
                let result = ready!(errand.poll(cx)).and_then(|result| result);
                if result.is_ok() {
                    self.ahead.clear();
                    self.outcomes.read = None;
                }
                sought = Some((*to, result));
            }
        }
        self.outcomes.sought = sought;
        self.trip = None;
        // The trip itself wakes nobody if its value was taken before it came to that.
        self.waiting.audience.wake_all();
        Poll::Ready(())
    }

    /// Waits for what callers have left who are here no more.
    pub(super) fn poll_settled(&mut self, cx: &mut Context<'_>, side: Side) -> Poll<()> {
        ready!(self.poll_trip(cx, side));
        self.outcomes.settle();
        Poll::Ready(())
    }

    /// Waits until there is something to read, of which a trip brings up to `wanted` bytes. Empty: the end.
    pub(super) fn poll_ahead(
        &mut self,
        cx: &mut Context<'_>,
        wanted: usize,
    ) -> Poll<io::Result<&[u8]>> {
        ready!(budget::poll_proceed(cx));
        loop {
            ready!(self.poll_trip(cx, Side::Reads));
            if self.ahead.len() > 0 {
                return Poll::Ready(Ok(self.ahead.unread()));
            }
            if let Some(result) = self.outcomes.read.take() {
                return Poll::Ready(result.map(|()| &[][..]));
            }
            self.trip = Some(self.start_reading(wanted)?);
        }
    }

    /// So many bytes of what is ahead were taken.
    pub(super) fn consume_ahead(&mut self, count: usize) {
        self.ahead.consume(count);
    }

    fn start_reading(&mut self, wanted: usize) -> io::Result<Trip> {
        let mut bytes = mem::take(&mut self.ahead).bytes;
        let wanted = wanted.min(MOST_BYTES);
        if bytes.len() < wanted {
            bytes.resize(wanted, 0);
        }
        let file = self.file.clone();
        let read = move || {
            let result = again(|| (&*file).read(&mut bytes[..wanted]));
            (bytes, result)
        };
        Errand::send(read).map(Trip::Reading)
    }

    /// Writes some of `data`. A trip that writes the same is taken for this call's own: that of one that was
    /// cancelled counts as not made.
    pub(super) fn poll_write_some(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(budget::poll_proceed(cx));
        loop {
            ready!(self.poll_trip(cx, Side::Writes));
            match self.outcomes.wrote.take() {
                Some(Ok(_)) if !data.starts_with(&self.wrote) => {}
                Some(result) => return Poll::Ready(result),
                None if data.is_empty() => return Poll::Ready(Ok(0)),
                None => self.trip = Some(self.start_writing(data)?),
            }
        }
    }

    fn start_writing(&mut self, data: &[u8]) -> io::Result<Trip> {
        let mut bytes = mem::take(&mut self.wrote);
        bytes.clear();
        bytes.extend_from_slice(&data[..data.len().min(MOST_BYTES)]);
        let (file, ahead) = (self.file.clone(), self.ahead.len());
        let write = move || {
            let moved_back = match move_back(&file, ahead) {
                Ok(moved_back) => moved_back,
                Err(error) => return Err(Unwritten { bytes, moved_back: false, error }),
            };
            match again(|| (&*file).write(&bytes)) {
                Ok(count) => Ok(Written { bytes, moved_back, count }),
                Err(error) => Err(Unwritten { bytes, moved_back, error }),
            }
        };
        Errand::send(write).map(|errand| Trip::Writing(errand.report_error()))
    }

    /// Moves the place.
    pub(super) fn poll_seek_to(
        &mut self,
        cx: &mut Context<'_>,
        to: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        loop {
            ready!(self.poll_trip(cx, Side::Reads));
            match self.outcomes.sought.take() {
                Some((there, result)) if there == to => return Poll::Ready(result),
                _ => {
                    // The same bytes elsewhere are another write.
                    self.outcomes.settle();
                    let (file, ahead) = (self.file.clone(), self.ahead.len());
                    let seek = move || (&*file).seek(seen_by_reader(to, ahead)?);
                    self.trip = Some(Trip::Seeking(to, Errand::send(seek)?));
                }
            }
        }
    }

    /// Waits until all is written that was to be. Fails with what a caller did not wait for.
    pub(super) fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_trip(cx, Side::Writes));
        Poll::Ready(self.outcomes.wrote.take().map_or(Ok(()), |wrote| wrote.map(drop)))
    }
}

/// Calls again what a signal has interrupted.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Moves the place of a file back by so many bytes. False: it has none, as a terminal, and they remain to be
/// read.
pub(super) fn move_back(mut file: &fs::File, count: usize) -> io::Result<bool> {
    if count == 0 {
        return Ok(true);
    }
    match file.seek(seen_by_reader(SeekFrom::Current(0), count)?) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotSeekable => Ok(false),
        Err(error) => Err(error),
    }
}

/// A place that is counted from where the reader is, for a file whose place is ahead of it.
fn seen_by_reader(to: SeekFrom, ahead: usize) -> io::Result<SeekFrom> {
    let SeekFrom::Current(offset) = to else { return Ok(to) };
    let ahead = i64::try_from(ahead).unwrap_or(i64::MAX);
    match offset.checked_sub(ahead) {
        Some(offset) => Ok(SeekFrom::Current(offset)),
        None => {
            let text = format!("there is no place {offset} bytes from this one");
            Err(io::Error::new(io::ErrorKind::InvalidInput, text))
        }
    }
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a write whose caller has gone failed: {}", self.error)
    }
}
