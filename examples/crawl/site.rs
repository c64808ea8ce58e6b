//! A small site for crawling: a tree of pages, links that lead nowhere, and a page that never
//! answers.

use std::fmt::Write;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use weftline::net::{TcpListener, TcpStream};

/// How many pages the site has, numbered from 1: page `n` links to `2n` and `2n + 1`. The last link
/// is one too many.
const PAGES: u32 = 40;
/// The page that never answers; page 5 links to it.
const SLOW: &str = "/slow";
/// The most bytes of a request that are looked at.
const MAX_REQUEST: usize = 4096;

/// Serves the site from now on, until the runtime ends.
pub async fn begin() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    drop(weftline::spawn(serve(listener)).report_error());
    Ok(address)
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (visitor, _from) = listener.accept().await?;
        // What goes wrong with one visitor is the visitor's.
        drop(weftline::spawn(answer(visitor)));
    }
}

async fn answer(visitor: TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 512];
    while !request.ends_with(b"\r\n\r\n") && request.len() < MAX_REQUEST {
        match visitor.read(&mut piece).await? {
            0 => break,
            count => request.extend_from_slice(&piece[..count]),
        }
    }
    let request = String::from_utf8_lossy(&request);
    let path = request.split(' ').nth(1).unwrap_or("/");
    if path == SLOW {
        pending::<()>().await;
    }
    let (status, body) = match number(path) {
        Some(number) if number <= PAGES => ("200 OK", page(number)),
        _ => ("404 Not Found", String::from("there is no such page")),
    };
    visitor.write_all(format!("HTTP/1.0 {status}\r\n\r\n{body}").as_bytes()).await
}

/// The number of the page at `path`.
fn number(path: &str) -> Option<u32> {
    if path == "/" { Some(1) } else { path.strip_prefix("/page/")?.parse().ok() }
}

fn page(number: u32) -> String {
    let mut body = format!("<h1>Page {number}</h1>\n");
    let mut link = |path: &str| {
        let _ = writeln!(body, "<a href=\"{path}\">{path}</a>");
    };
    link("/");
    for child in [2 * number, 2 * number + 1] {
        if child <= PAGES + 1 {
            link(&format!("/page/{child}"));
        }
    }
    if number == 5 {
        link(SLOW);
    }
    body
}
