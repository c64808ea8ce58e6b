//! The life of one connection: perhaps some words in plain text, a handshake, then lines in both
//! directions until both sides have ended.

use super::options::Options;
use std::fmt::Display;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use weftline::io::{
    AsyncRead, AsyncWrite, BufReader, BufWriter, ReadError, ReadHalf, WriteHalf, split,
};
use weftline::net::TcpStream;
use weftline::sync::Mutex;
use weftline::time::timeout;
use weftline::tls::{TlsAcceptor, TlsConnector, TlsStream, client_config, server_config};
use weftline::{catch_cancel, group};

/// How many lines a client may say in plain text before it comes to the point.
const PLAIN_LINES: usize = 8;
/// How long such a line may be.
const PLAIN_LINE_BYTES: usize = 512;
/// How long a client may take for the last words.
const GOODBYE: Duration = Duration::from_secs(5);
/// How the proxy calls itself.
const NAME: &str = ":tls_proxy";

/// A stream of any kind: with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A client once it speaks TLS.
type Client = TlsStream<BufReader<TcpStream>>;
/// Where a client is told something: by either direction, a whole line at a time.
type ClientWriter = Arc<Mutex<BufWriter<WriteHalf<Client>>>>;

/// What all connections have in common.
pub struct Proxy {
    /// Makes clients' connections encrypted ones.
    acceptor: TlsAcceptor,
    /// Clients begin in plain text.
    is_starttls: bool,
    /// How long a client may take until it speaks TLS.
    patience: Duration,
    /// Where the server is.
    upstream: String,
    /// The same for the connection to the server, and its name; none for plain text.
    connector: Option<(TlsConnector, String)>,
    /// How many bytes a line may have.
    max_line: usize,
}

impl Proxy {
    /// Reads the files that the options name. `own_upstream` is where the server is that the options do not
    /// name.
    pub fn new(options: &Options, own_upstream: Option<String>) -> io::Result<Self> {
        let config = server_config(options.certificate(), options.key())?;
        let connector = match options.upstream_tls() {
            Some((name, roots)) => {
                Some((TlsConnector::from(client_config(roots)?), name.to_owned()))
            }
            None => None,
        };
        let upstream = own_upstream.or_else(|| options.upstream().map(str::to_owned));
        Ok(Self {
            acceptor: TlsAcceptor::from(config).handshake_timeout(options.patience()),
            is_starttls: options.is_starttls(),
            patience: options.patience(),
            upstream: upstream.unwrap_or_default(),
            connector,
            max_line: options.max_line(),
        })
    }

    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Serves one client, until it or the server has ended; the error says why it was given up.
    pub async fn serve(&self, stream: TcpStream) -> Result<(), String> {
        let mut reader = BufReader::with_limit(PLAIN_LINE_BYTES, stream);
        if self.is_starttls {
            let asked = timeout(self.patience, until_starttls(&mut reader)).await;
            if !asked.map_err(|_| "it has not said STARTTLS in time")?? {
                return Ok(());
            }
        }
        // What the reader has in its buffer is the beginning of the handshake.
        let client = self.acceptor.accept(reader).await.map_err(naming("TLS"))?;
        let (reader, writer) = split(client);
        let writer = Arc::new(Mutex::new(BufWriter::new(writer)));
        let result = self.forward(reader, writer.clone()).await;
        if let Err(error) = &result {
            say_last(&writer, error).await;
        }
        result
    }

    /// Passes lines on in both directions, until both have ended or one has failed.
    async fn forward(&self, reader: ReadHalf<Client>, client: ClientWriter) -> Result<(), String> {
        let max_line = self.max_line;
        let server = self.connect().await?;
        let to_client = client.clone();
        let (server_reader, server_writer) = split(server);
        let server_writer = Arc::new(Mutex::new(BufWriter::new(server_writer)));
        let both = group(|both| async move {
            both.spawn(pass_on("the client", max_line, reader, server_writer));
            both.spawn(pass_on("the server", max_line, server_reader, to_client));
            Ok(())
        });
        match catch_cancel(both).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failed)) => Err(failed.leaves().cloned().collect::<Vec<_>>().join("; ")),
            Err(_asked) => {
                // No failure, and so told to the client alone.
                say_last(&client, "the proxy ends").await;
                Ok(())
            }
        }
    }

    /// Connects with the server.
    async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let there = format!("the server at {}", self.upstream);
        let stream = TcpStream::connect(&*self.upstream).await.map_err(naming(&there))?;
        let Some((connector, name)) = &self.connector else { return Ok(Box::new(stream)) };
        let stream = connector.connect(name, stream).await.map_err(naming(&there))?;
        Ok(Box::new(stream))
    }
}

/// Says what it was that failed.
fn naming<E: Display>(what: &str) -> impl Fn(E) -> String {
    move |error| format!("{what}: {error}")
}

/// Listens to a client in plain text until it says `STARTTLS`; not, if it ends before.
async fn until_starttls(reader: &mut BufReader<TcpStream>) -> Result<bool, String> {
    for _ in 0..PLAIN_LINES {
        let line = reader.read_line().await.map_err(naming("plain text"))?;
        if line.is_empty() {
            return Ok(false);
        }
        let is_asked = line.trim_ascii().eq_ignore_ascii_case(b"STARTTLS");
        let answer = match is_asked {
            true => format!("{NAME} 670 * :go on with TLS\r\n"),
            false => format!("{NAME} 451 * :say STARTTLS first\r\n"),
        };
        reader.get_ref().write_all(answer.as_bytes()).await.map_err(naming("plain text"))?;
        if is_asked {
            return Ok(true);
        }
    }
    Err(format!("it has said {PLAIN_LINES} lines in plain text, and none was STARTTLS"))
}

/// Passes lines on from one side to the other, and then the end.
async fn pass_on<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    from: &'static str,
    max_line: usize,
    reader: R,
    writer: Arc<Mutex<BufWriter<W>>>,
) -> Result<(), String> {
    let mut reader = BufReader::with_limit(max_line, reader);
    loop {
        let line = match reader.read_line().await {
            Ok(line) => line.to_vec(),
            Err(ReadError::LimitOverrun(_)) => {
                return Err(format!("a line of {from} is longer than {max_line} bytes"));
            }
            Err(error) => return Err(format!("{from}: {error}")),
        };
        let mut writer = writer.lock().await;
        if line.is_empty() {
            return writer.close().await.map_err(naming(from));
        }
        writer.write_all(&line).await.map_err(naming(from))?;
        // Lines that are there already go together.
        if reader.buffer().is_empty() {
            writer.flush().await.map_err(naming(from))?;
        }
    }
}

/// Tells a client why it ends, and ends. One that is gone, or reads nothing, does not hear it.
async fn say_last(client: &ClientWriter, why: &str) {
    let saying = async {
        let mut client = client.lock().await;
        client.write_all(format!("ERROR :{why}\r\n").as_bytes()).await?;
        client.close().await
    };
    let _: Result<io::Result<()>, _> = timeout(GOODBYE, saying).await;
}
