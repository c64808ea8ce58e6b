//! Feeding a child and reading it at the same time, until it has ended.

use super::{Child, Output, PipeReader, PipeWriter};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

impl Child {
    /// Writes `input` to the child, closes its input, reads all that it says, and waits for its
    /// end: at the same time, so that neither side waits for the other.
    ///
    /// A child that stops reading before it has read all is no error. What is not piped, or was
    /// taken out of the [`Child`], is left alone, and empty in the output. The pipes to read come
    /// to their end only when all processes that the child has left behind have closed them: where
    /// there is a time limit, let the child lead a group, and end all of that, as below.
    ///
    /// # Errors
    ///
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is input and no pipe for it; whatever
    /// the system says; and as [`wait`](Self::wait). The process goes on then.
    ///
    /// # Cancel safety
    ///
    /// When cancelled, the child's input is closed and what was read is lost. The [`Child`] can be
    /// used.
    ///
    /// # Examples
    ///
    /// ```
    /// use weftline::process::{Command, Stdio};
    ///
    /// # weftline::run(async {
    /// let mut sort =
    ///     Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// let output = sort.communicate("b\na\n").await?;
    /// assert_eq!(output.stdout, b"a\nb\n");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// With a time limit, after which nothing is left of all that the child has started:
    ///
    /// ```
    /// use std::time::Duration;
    /// use weftline::process::{Command, Stdio};
    /// use weftline::time::timeout;
    ///
    /// # weftline::run(async {
    /// let mut shell = Command::shell("sleep 60 & sleep 60");
    /// let mut child = shell.process_group(0).kill_on_drop(true).stdout(Stdio::piped()).spawn()?;
    /// match timeout(Duration::from_millis(20), child.communicate("")).await {
    ///     Ok(output) => println!("it has said {} bytes", output?.stdout.len()),
    ///     Err(_too_long) => {
    ///         child.kill_group()?;
    ///         println!("{}", child.wait().await?);
    ///     }
    /// }
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[doc(alias = "wait_with_output")]
    pub async fn communicate(&mut self, input: impl AsRef<[u8]>) -> io::Result<Output> {
        let (stdin, input) = (self.stdin.take(), input.as_ref());
        if stdin.is_none() && !input.is_empty() {
            let text = format!(
                "the input is {} bytes long, but the child's stdin is not a pipe",
                input.len()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        all_well([
            &mut pin!(feed(stdin, input)),
            &mut pin!(read(self.stdout.as_ref(), &mut stdout)),
            &mut pin!(read(self.stderr.as_ref(), &mut stderr)),
        ])
        .await?;
        Ok(Output { status: self.wait().await?, stdout, stderr })
    }
}

/// Writes all of it and closes the pipe.
async fn feed(pipe: Option<PipeWriter>, input: &[u8]) -> io::Result<()> {
    let Some(pipe) = pipe else { return Ok(()) };
    match pipe.write_all(input).await {
        Err(error) if is_broken(&error) => Ok(()),
        result => result,
    }
}

/// Nobody reads any more.
fn is_broken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Reads all of it.
async fn read(pipe: Option<&PipeReader>, into: &mut Vec<u8>) -> io::Result<()> {
    match pipe {
        Some(pipe) => pipe.read_to_end(into).await.map(drop),
        None => Ok(()),
    }
}

/// Something that may fail, and is polled where it is pinned.
type Part<'a> = &'a mut (dyn Future<Output = io::Result<()>> + Send + Unpin);

/// Waits until all have ended, or one has failed.
async fn all_well(parts: [Part<'_>; 3]) -> io::Result<()> {
    let mut parts = parts.map(Some);
    poll_fn(|cx| {
        for part in &mut parts {
            let Some(running) = part else { continue };
            match Pin::new(running).poll(cx) {
                Poll::Ready(Ok(())) => *part = None,
                Poll::Ready(failed) => return Poll::Ready(failed),
                Poll::Pending => {}
            }
        }
        if parts.iter().all(Option::is_none) { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}
