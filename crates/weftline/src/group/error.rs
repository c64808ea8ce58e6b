//! Why a group gave no value: all that failed in it, nested as the groups were.

use std::error::Error;
use std::fmt;
use std::vec;

/// An error of any type, as groups with mixed errors have it.
type AnyError = Box<dyn Error + Send + Sync + 'static>;

/// The error of a [group](crate::group()): everything that failed in it, in the order in which it
/// failed.
///
/// A group that was [cancelled](crate::Group::cancel), and in which nothing failed, has an error
/// without errors in it: [`is_cancelled`](Self::is_cancelled).
///
/// `{}` writes it on one line, `{:#}` as a tree. It is a `std::error::Error` where `E` is one; for
/// `E = Box<dyn Error + Send + Sync>`, which is none, there is [`boxed`](Self::boxed).
///
/// # Examples
///
/// ```
/// use weftline::group;
///
/// weftline::run(async {
///     let error = group(|g| async move {
///         g.spawn(async { Err::<(), _>("no paper") });
///         std::future::pending::<Result<(), _>>().await
///     })
///     .await
///     .unwrap_err();
///     assert_eq!(error.to_string(), "1 error in a group: no paper");
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupError<E> {
    /// What failed, in this order.
    failures: Vec<Failure<E>>,
}

/// One thing that failed in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure<E> {
    /// A child, or the body.
    Error(E),
    /// A group inside, with all that failed there.
    Group(GroupError<E>),
}

impl<E> GroupError<E> {
    pub(super) fn new(failures: Vec<Failure<E>>) -> Self {
        Self { failures }
    }

    /// Whether nothing failed: the group was cancelled from inside before it had a value.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::{GroupError, group};
    ///
    /// let error: GroupError<()> = weftline::run(group(|g| async move {
    ///     g.cancel();
    ///     std::future::pending::<Result<(), ()>>().await
    /// }))
    /// .unwrap_err();
    /// assert!(error.is_cancelled());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.failures.is_empty()
    }

    /// What failed, in the order in which it did.
    #[must_use]
    pub fn errors(&self) -> &[Failure<E>] {
        &self.failures
    }

    /// As [`errors`](Self::errors), by value.
    #[must_use]
    pub fn into_errors(self) -> Vec<Failure<E>> {
        self.failures
    }

    /// All errors, those of groups inside included, in their order. (`into_iter` gives them by
    /// value.)
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::group;
    ///
    /// let error = weftline::run(group(|g| async move {
    ///     g.spawn_group(|_| async { Err::<(), _>("inside") });
    ///     std::future::pending::<Result<(), _>>().await
    /// }))
    /// .unwrap_err();
    /// assert_eq!(error.leaves().collect::<Vec<_>>(), [&"inside"]);
    /// ```
    pub fn leaves(&self) -> Leaves<'_, E> {
        Leaves { levels: vec![self.failures.iter()] }
    }

    /// Parts the errors: those of which `is_first` is true, and the others. Both sides are nested
    /// as before, and a side without errors is none. A cancelled group's error goes to the second.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::group;
    ///
    /// let error = weftline::run(group(|g| async move {
    ///     g.spawn(async { Err::<(), _>(4) });
    ///     Err::<(), _>(5)
    /// }))
    /// .unwrap_err();
    /// let (even, odd) = error.split(|number| number % 2 == 0);
    /// assert!(even.is_none_or(|even| even.leaves().eq([&4])));
    /// assert!(odd.unwrap().leaves().eq([&5]));
    /// ```
    #[must_use]
    pub fn split(self, mut is_first: impl FnMut(&E) -> bool) -> (Option<Self>, Option<Self>) {
        if self.is_cancelled() {
            return (None, Some(self));
        }
        self.split_by(&mut is_first)
    }

    fn split_by(self, is_first: &mut dyn FnMut(&E) -> bool) -> (Option<Self>, Option<Self>) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for failure in self.failures {
            match failure {
                Failure::Error(error) => {
                    let side = if is_first(&error) { &mut first } else { &mut second };
                    side.push(Failure::Error(error));
                }
                Failure::Group(group) => {
                    let (one, other) = group.split_by(is_first);
                    first.extend(one.map(Failure::Group));
                    second.extend(other.map(Failure::Group));
                }
            }
        }
        let side = |failures: Vec<_>| (!failures.is_empty()).then_some(Self { failures });
        (side(first), side(second))
    }

    /// Changes the type of the errors.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::{GroupError, group};
    ///
    /// let error = weftline::run(group(|_| async { Err::<(), _>(5_u8) })).unwrap_err();
    /// let error: GroupError<u64> = error.map(u64::from);
    /// assert!(error.leaves().eq([&5]));
    /// ```
    #[must_use]
    pub fn map<X>(self, mut change: impl FnMut(E) -> X) -> GroupError<X> {
        self.map_by(&mut change)
    }

    fn map_by<X>(self, change: &mut dyn FnMut(E) -> X) -> GroupError<X> {
        let change = |failure| match failure {
            Failure::Error(error) => Failure::Error(change(error)),
            Failure::Group(group) => Failure::Group(group.map_by(change)),
        };
        GroupError { failures: self.failures.into_iter().map(change).collect() }
    }
}

impl GroupError<AnyError> {
    /// The error as a `std::error::Error`, for `?`: the errors in it become [`Boxed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::error::Error;
    /// use weftline::{GroupError, group};
    ///
    /// async fn work() -> Result<u32, Box<dyn Error + Send + Sync>> {
    ///     let number = group(|g| async move {
    ///         g.spawn(async { Ok("7".parse::<u8>()?) });
    ///         Ok("x".parse::<u32>()?)
    ///     })
    ///     .await
    ///     .map_err(GroupError::boxed)?;
    ///     Ok(number)
    /// }
    ///
    /// let error = weftline::run(work()).unwrap_err();
    /// assert_eq!(error.to_string(), "1 error in a group: invalid digit found in string");
    /// ```
    #[must_use]
    pub fn boxed(self) -> AnyError {
        Box::new(self.map(Boxed))
    }
}

/// A boxed error as an error: what [`GroupError::boxed`] makes of the errors in a group.
///
/// Its text and its source are those of the error inside.
#[derive(Debug)]
pub struct Boxed(pub Box<dyn Error + Send + Sync + 'static>);

impl fmt::Display for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Boxed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl<E: Error + 'static> Error for GroupError<E> {
    /// The first error.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.failures.first()? {
            Failure::Error(error) => Some(error),
            Failure::Group(group) => Some(group),
        }
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { self.fmt_tree(f, "") } else { self.fmt_line(f) }
    }
}

impl<E: fmt::Display> GroupError<E> {
    fn fmt_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failures.len() {
            0 => f.write_str("the group was cancelled"),
            1 => f.write_str("1 error in a group:"),
            count => write!(f, "{count} errors in a group:"),
        }
    }

    fn fmt_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_head(f)?;
        for (index, failure) in self.failures.iter().enumerate() {
            f.write_str(if index == 0 { " " } else { "; " })?;
            match failure {
                Failure::Error(error) => write!(f, "{error}")?,
                Failure::Group(group) => write!(f, "({group})")?,
            }
        }
        Ok(())
    }

    /// `margin` stands before all lines but the first.
    fn fmt_tree(&self, f: &mut fmt::Formatter<'_>, margin: &str) -> fmt::Result {
        self.fmt_head(f)?;
        for (index, failure) in self.failures.iter().enumerate() {
            let is_last = index + 1 == self.failures.len();
            write!(f, "\n{margin}{}", if is_last { "└─ " } else { "├─ " })?;
            match failure {
                Failure::Error(error) => write!(f, "{error}")?,
                Failure::Group(group) => {
                    let margin = format!("{margin}{}", if is_last { "   " } else { "│  " });
                    group.fmt_tree(f, &margin)?;
                }
            }
        }
        Ok(())
    }
}

/// The errors of a group and of the groups inside, lent; made by [`GroupError::leaves`].
#[derive(Debug)]
pub struct Leaves<'a, E> {
    /// What is left at each depth.
    levels: Vec<std::slice::Iter<'a, Failure<E>>>,
}

impl<'a, E> Iterator for Leaves<'a, E> {
    type Item = &'a E;

    fn next(&mut self) -> Option<&'a E> {
        loop {
            match self.levels.last_mut()?.next() {
                None => drop(self.levels.pop()),
                Some(Failure::Error(error)) => return Some(error),
                Some(Failure::Group(group)) => self.levels.push(group.failures.iter()),
            }
        }
    }
}

/// The errors of a group and of the groups inside, by value; made by `into_iter`.
#[derive(Debug)]
pub struct IntoLeaves<E> {
    /// What is left at each depth.
    levels: Vec<vec::IntoIter<Failure<E>>>,
}

impl<E> Iterator for IntoLeaves<E> {
    type Item = E;

    fn next(&mut self) -> Option<E> {
        loop {
            match self.levels.last_mut()?.next() {
                None => drop(self.levels.pop()),
                Some(Failure::Error(error)) => return Some(error),
                Some(Failure::Group(group)) => self.levels.push(group.failures.into_iter()),
            }
        }
    }
}

impl<E> IntoIterator for GroupError<E> {
    type Item = E;
    type IntoIter = IntoLeaves<E>;

    fn into_iter(self) -> IntoLeaves<E> {
        IntoLeaves { levels: vec![self.failures.into_iter()] }
    }
}

impl<'a, E> IntoIterator for &'a GroupError<E> {
    type Item = &'a E;
    type IntoIter = Leaves<'a, E>;

    fn into_iter(self) -> Leaves<'a, E> {
        self.leaves()
    }
}
