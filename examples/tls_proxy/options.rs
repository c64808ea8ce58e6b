//! The command line.

use clap::Parser;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::demo;

const AFTER_HELP: &str = "\
Example: cargo run --bin tls_proxy -- --demo

Exit codes: 0 it was asked to end, and every client has; 1 it could not listen, or clients had to be cut \
off; 2 the command line is wrong, or a file of it.";

/// A proxy for protocols of lines that speaks TLS with its clients
#[derive(Debug, Parser)]
#[command(name = "tls_proxy", version, after_help = AFTER_HELP)]
pub struct Options {
    /// Try it out: with a server of its own, which shouts, and a certificate for localhost
    #[arg(long, conflicts_with_all = ["upstream", "certificate"])]
    demo: bool,

    /// Where to listen; port 0 lets the system choose
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,

    /// The server that the lines are for; required, unless with --demo
    #[arg(long, value_name = "ADDRESS", required_unless_present = "demo")]
    upstream: Option<String>,

    /// The certificate, followed by those of the authorities between, in PEM format; required, unless with --demo
    #[arg(long, value_name = "FILE", required_unless_present = "demo")]
    certificate: Option<PathBuf>,

    /// Its private key, in PEM format [default: in the same file]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Clients begin in plain text, and say STARTTLS
    #[arg(long)]
    starttls: bool,

    /// Speak TLS with the server, which must prove to have this name
    #[arg(long, value_name = "NAME", requires = "upstream_roots")]
    upstream_tls: Option<String>,

    /// The authorities that may say who the server is, in PEM format
    #[arg(long, value_name = "FILE", requires = "upstream_tls")]
    upstream_roots: Option<PathBuf>,

    /// How many bytes a line may have
    #[arg(long, value_name = "BYTES", default_value = "65536")]
    max_line: NonZero<usize>,

    /// How many seconds a client may take for its handshake
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    patience: Duration,

    /// How many seconds clients have to end once the proxy is asked to
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    grace: Duration,
}

impl Options {
    pub fn is_demo(&self) -> bool {
        self.demo
    }

    pub fn listen(&self) -> &str {
        &self.listen
    }

    /// Where the server is; none for the one of the demonstration.
    pub fn upstream(&self) -> Option<&str> {
        self.upstream.as_deref()
    }

    pub fn certificate(&self) -> &Path {
        self.certificate.as_deref().unwrap_or(Path::new(demo::CERTIFICATE))
    }

    pub fn key(&self) -> &Path {
        self.key.as_deref().unwrap_or(self.certificate())
    }

    pub fn is_starttls(&self) -> bool {
        self.starttls
    }

    /// The name that the server must have, and the file of who may say so.
    pub fn upstream_tls(&self) -> Option<(&str, &Path)> {
        self.upstream_tls.as_deref().zip(self.upstream_roots.as_deref())
    }

    pub fn max_line(&self) -> usize {
        self.max_line.get()
    }

    pub fn patience(&self) -> Duration {
        self.patience
    }

    pub fn grace(&self) -> Duration {
        self.grace
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}
