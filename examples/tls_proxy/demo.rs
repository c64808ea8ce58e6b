//! What the proxy tries itself out with: a server that shouts, and a certificate whose key everybody
//! knows.

use std::fs;
use std::io;
use std::net::SocketAddr;
use weftline::io::{BufReader, BufWriter};
use weftline::net::{Server, TcpStream, serve};

/// The certificate for localhost that Weftline's own tests use, and its key.
pub const CERTIFICATE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/weftline/tests/localhost.pem");

/// A server that says every line again, louder.
pub async fn shouting_server() -> io::Result<Server> {
    serve("127.0.0.1:0", shout).await
}

async fn shout(stream: TcpStream) -> io::Result<()> {
    let (mut reader, mut writer) = (BufReader::new(&stream), BufWriter::new(&stream));
    loop {
        let line = reader.read_line().await?;
        if line.is_empty() {
            return writer.close().await;
        }
        writer.write_all(&line.to_ascii_uppercase()).await?;
        writer.flush().await?;
    }
}

/// Says how to try it out.
pub fn explain(address: SocketAddr, is_starttls: bool) {
    let more = if is_starttls { " -starttls irc" } else { "" };
    let certificate = fs::canonicalize(CERTIFICATE).unwrap_or_else(|_| CERTIFICATE.into());
    let certificate = certificate.display();
    println!("tls_proxy: openssl s_client -connect {address} -CAfile {certificate}{more}");
}
