//! One connection, from the greeting to the end.
//!
//! One task reads what the client types and writes what everybody says. While the client does not take in
//! what is written, the task waits, and so reads nothing either: all that it keeps is what one reader and
//! one writer hold.

use super::room::{Member, Room};
use futures_lite::future::or;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::Arc;
use weftline::io::{BufReader, BufWriter, ReadError};
use weftline::net::TcpStream;
use weftline::sync::broadcast::Receiver;
use weftline::sync::broadcast::error::RecvError;

/// What a client waits for.
enum Event {
    /// A line for everybody, or why there is none.
    Said(Result<Arc<str>, RecvError>),
    /// A line that the client has typed; none once it has gone.
    Typed(Option<Result<String, ReadError>>),
}

/// A client, as one who types.
struct Typist {
    /// Who that is in the room.
    member: Member,
    /// How many bytes a line may have.
    limit: usize,
    /// The next line is what is left of one that was too long.
    is_amid_long_line: bool,
}

/// Has a client take part until it goes, or until the room is closed.
pub async fn attend(client: TcpStream, room: Arc<Room>, limit: usize) -> io::Result<()> {
    let Some((member, heard)) = room.enter() else { return Ok(()) };
    match talk(&client, member, heard, limit).await {
        // It has left without a word.
        Err(error)
            if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) =>
        {
            Ok(())
        }
        result => result,
    }
}

async fn talk(
    client: &TcpStream,
    member: Member,
    mut heard: Receiver<Arc<str>>,
    limit: usize,
) -> io::Result<()> {
    let mut reader = BufReader::with_limit(limit, client);
    let mut typed = reader.lines();
    let mut writer = BufWriter::new(client);
    let greeting = format!("* welcome, {}; there are /nick NAME, /who and /quit", member.name());
    let mut typist = Typist { member, limit, is_amid_long_line: false };

    let mut told: Option<Arc<str>> = Some(greeting.into());
    loop {
        if let Some(line) = told {
            writer.write_all(line.as_bytes()).await?;
            writer.write_all(b"\n").await?;
            writer.flush().await?;
        }
        // What was said comes first, so that an answer follows all that was said before it. Both may be
        // dropped while they wait: neither loses a line.
        let said = async { Event::Said(heard.recv().await) };
        let typed = async { Event::Typed(typed.next().await) };
        told = match or(said, typed).await {
            Event::Said(Ok(line)) => Some(line),
            Event::Said(Err(RecvError::Lagged(missed))) => {
                Some(format!("* you have missed {missed} lines").into())
            }
            Event::Typed(Some(Ok(line))) if line == "/quit" => break,
            Event::Typed(Some(line)) => typist.heed(line).map(Arc::from),
            Event::Said(Err(RecvError::Closed)) | Event::Typed(None) => break,
        };
    }
    writer.close().await
}

impl Typist {
    /// Does what a line asks for; gives an answer that is for the client alone.
    fn heed(&mut self, line: Result<String, ReadError>) -> Option<String> {
        let goes_on = matches!(&line, Err(ReadError::LimitOverrun(over)) if !over.is_found);
        if mem::replace(&mut self.is_amid_long_line, goes_on) {
            return None;
        }
        match line {
            Ok(line) => self.obey(&line),
            Err(ReadError::LimitOverrun(_)) => {
                Some(format!("* a line has at most {} bytes; yours was left out", self.limit))
            }
            // Also a connection that broke: it has ended, then, and is told so in vain.
            Err(error) => Some(format!("* your line was left out: {error}")),
        }
    }

    fn obey(&mut self, line: &str) -> Option<String> {
        // What a terminal would obey does not come to the others' terminals.
        let line = line.replace(char::is_control, " ");
        let line = line.trim();
        let Some(command) = line.strip_prefix('/') else {
            if !line.is_empty() {
                self.member.say(line);
            }
            return None;
        };
        match command.split_once(' ').unwrap_or((command, "")) {
            ("who", "") => Some(format!("* here are {}", self.member.everybody())),
            ("nick", name) => {
                let refused = self.member.rename(name.trim()).err()?;
                Some(format!("* you are {} still: {refused}", self.member.name()))
            }
            _ => Some(format!("* {line} is none of /nick NAME, /who and /quit")),
        }
    }
}
