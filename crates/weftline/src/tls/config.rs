//! The two usual configurations, from files in PEM format.

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// The configuration of a client that trusts the authorities whose certificates are in the file
/// `roots`, in PEM format, and shows none of its own.
///
/// On most Linux systems `/etc/ssl/certs/ca-certificates.crt` is the file of the authorities that the system
/// trusts. A server's self-signed certificate is an authority of its own. This makes one to try things out with,
/// and its key:
///
/// ```text
/// # Without CA:FALSE rustls refuses a server that shows it (CaUsedAsEndEntity);
/// # without subjectAltName it has no name.
/// openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost \
///     -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE
/// ```
///
/// It reads the file, which may block: it is for the beginning of a program.
///
/// # Errors
///
/// When the file cannot be read, or has no certificate in it or one that is none. The error names it.
///
/// # Examples
///
/// A client that also says which protocols it speaks:
///
/// ```
/// # let roots = "tests/localhost.pem";
/// use weftline::tls::{TlsConnector, client_config};
///
/// let mut config = client_config(roots)?;
/// config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
/// let connector = TlsConnector::from(config);
/// # drop(connector);
/// # std::io::Result::Ok(())
/// ```
pub fn client_config(roots: impl AsRef<Path>) -> io::Result<ClientConfig> {
    let path = roots.as_ref();
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| unusable(path, "a certificate", &error))?;
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

/// The configuration of a server that shows the certificate in the file `chain`, followed by those
/// of the authorities between, and has the private key in the file `key`. Both are in PEM format, and may be one
/// file. Clients need no certificate.
///
/// It reads the files, which may block: it is for the beginning of a program.
///
/// # Errors
///
/// When a file cannot be read, or has in it not what it should; when certificate and key do not
/// belong together. The error names the file.
///
/// # Examples
///
/// ```
/// use weftline::tls::{TlsAcceptor, server_config};
///
/// # let (chain, key) = ("tests/localhost.pem", "tests/localhost.pem");
/// let acceptor = TlsAcceptor::from(server_config(chain, key)?);
/// assert!(server_config(chain, "no/such/file").unwrap_err().to_string().contains("no/such/file"));
/// # drop(acceptor);
/// # std::io::Result::Ok(())
/// ```
pub fn server_config(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> io::Result<ServerConfig> {
    let path = key.as_ref();
    let certificates = certificates(chain.as_ref())?;
    let key =
        PrivateKeyDer::from_pem_file(path).map_err(|error| unread(path, "private key", error))?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    builder
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| unusable(path, "the private key", &error))
}

/// The cryptography. It is named, since a program may have another one in its tree as well, and rustls would
/// then not know which to take.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// All certificates in a file; at least one.
fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.and_then(|all| match all.is_empty() {
        true => Err(pem::Error::NoItemsFound),
        false => Ok(all),
    });
    found.map_err(|error| unread(path, "certificate", error))
}

/// The error of a file that does not give what it should.
fn unread(path: &Path, what: &str, error: pem::Error) -> io::Error {
    let path = path.display();
    match error {
        pem::Error::Io(error) => {
            io::Error::new(error.kind(), format!("cannot read {path}: {error}"))
        }
        pem::Error::NoItemsFound => {
            io::Error::new(ErrorKind::InvalidData, format!("there is no {what} in {path}"))
        }
        error => io::Error::new(ErrorKind::InvalidData, format!("cannot read {path}: {error}")),
    }
}

/// The error of a file with something in it that rustls refuses.
fn unusable(path: &Path, what: &str, error: &dyn Display) -> io::Error {
    let path = path.display();
    io::Error::new(ErrorKind::InvalidData, format!("cannot use {what} in {path}: {error}"))
}
