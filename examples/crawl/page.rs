//! One page: how it is fetched, and what is in it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::{fmt, io};
use weftline::net::TcpStream;

/// The most bytes that are read of one page.
const MAX_BYTES: usize = 1 << 20;

/// What a server answered.
#[derive(Debug)]
pub struct Page {
    /// The number by which the server says how it went.
    status: u16,
    /// The text.
    pub body: String,
}

/// Why a page could not be read.
#[derive(Debug)]
pub enum Problem {
    /// The server has another answer than the page.
    Status(u16),
    /// It did not answer in time.
    TooSlow,
    /// The connection or the answer is broken.
    Broken(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Status(404) => f.write_str("there is no such page"),
            Problem::Status(status) => write!(f, "the server answers {status}"),
            Problem::TooSlow => f.write_str("too slow"),
            Problem::Broken(why) => write!(f, "broken: {why}"),
        }
    }
}

impl Page {
    /// Asks a server for a page.
    pub async fn fetch(site: SocketAddr, path: &str) -> io::Result<Page> {
        let stream = TcpStream::connect(site).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {site}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        loop {
            let count = stream.read(&mut piece).await?;
            if count == 0 {
                return Page::parse(&String::from_utf8_lossy(&answer));
            }
            answer.extend_from_slice(&piece[..count]);
            if answer.len() > MAX_BYTES {
                return Err(invalid(format!("the answer has more than {MAX_BYTES} bytes")));
            }
        }
    }

    fn parse(answer: &str) -> io::Result<Page> {
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or_else(|| invalid("the answer has no end of head"))?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| invalid("the answer has no status"))?;
        Ok(Page { status, body: body.to_owned() })
    }

    /// Gives the page where it is one.
    pub fn check(self) -> Result<Page, Problem> {
        if self.status == 200 { Ok(self) } else { Err(Problem::Status(self.status)) }
    }

    /// The pages of the same site that this one links to.
    pub fn links(&self) -> BTreeSet<String> {
        let pieces = self.body.split("href=\"").skip(1);
        let links = pieces.filter_map(|piece| Some(piece.split_once('"')?.0));
        links.filter(|link| link.starts_with('/')).map(String::from).collect()
    }
}

fn invalid(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_split_into_status_and_body() {
        let page = Page::parse("HTTP/1.0 200 OK\r\nA: b\r\n\r\ntext").unwrap();
        assert_eq!((page.status, page.body.as_str()), (200, "text"));
        assert!(Page::parse("HTTP/1.0 200 OK\r\n").is_err());
        assert!(Page::parse("nonsense\r\n\r\n").is_err());
    }

    #[test]
    fn links_of_the_same_site_are_followed() {
        let body = r#"<a href="/one">, <a href="http://elsewhere/">, <a href="/two">, href="/cut"#;
        let page = Page { status: 200, body: body.into() };
        assert_eq!(page.links(), BTreeSet::from(["/one".into(), "/two".into()]));
    }
}
