//! What names the other side: addresses, and names that still have to be looked up.

use super::resolver::resolve;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Something that stands for one or more socket addresses: an address, a pair of host and port, or
/// a text such as `"example.org:443"`.
///
/// Unlike the trait of the same name in `std::net`, it never blocks: host names are looked up by
/// [`resolve`], and only while they are awaited. It cannot be implemented outside of this crate.
///
/// # Examples
///
/// ```
/// # weftline::run(async {
/// use weftline::net::TcpListener;
///
/// TcpListener::bind("127.0.0.1:0").await?;
/// TcpListener::bind(("localhost", 0)).await?;
/// TcpListener::bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0))).await?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub trait ToSocketAddrs: sealed::Addressed {}

impl<T: sealed::Addressed + ?Sized> ToSocketAddrs for T {}

/// What an address argument comes to without looking anything up.
pub enum Addresses {
    /// One address.
    One(SocketAddr),
    /// Several, to be tried in this order.
    Many(Vec<SocketAddr>),
    /// A host to look up, and the port.
    Named(String, u16),
}

pub(super) mod sealed {
    use super::{Addresses, io};

    /// The private half of [`ToSocketAddrs`](super::ToSocketAddrs).
    pub trait Addressed {
        /// The addresses, or the name to look up.
        fn addresses(&self) -> io::Result<Addresses>;
    }
}

use sealed::Addressed;

/// All addresses that `named` stands for; at least one.
pub(super) async fn lookup(named: &impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    all_of(named.addresses()?).await
}

/// All addresses there are; at least one.
pub(super) async fn all_of(addresses: Addresses) -> io::Result<Vec<SocketAddr>> {
    let found = match addresses {
        Addresses::One(address) => vec![address],
        Addresses::Many(addresses) => addresses,
        Addresses::Named(host, port) => resolve(&host, port).await?,
    };
    if found.is_empty() { Err(no_address()) } else { Ok(found) }
}

/// The first address that `named` stands for.
pub(super) async fn lookup_one(named: &impl ToSocketAddrs) -> io::Result<SocketAddr> {
    let first = match named.addresses()? {
        Addresses::One(address) => Some(address),
        Addresses::Many(addresses) => addresses.first().copied(),
        Addresses::Named(host, port) => resolve(&host, port).await?.first().copied(),
    };
    first.ok_or_else(no_address)
}

/// Tries `bind` with each address that `named` stands for; the last failure is the one told.
pub(super) async fn bind_any<R>(
    named: &impl ToSocketAddrs,
    mut bind: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut failure = no_address();
    for address in lookup(named).await? {
        match bind(address) {
            Ok(bound) => return Ok(bound),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "there is no address to try")
}

/// A host that may be an address in text form.
fn host_and_port(host: &str, port: u16) -> Addresses {
    match host.parse::<IpAddr>() {
        Ok(ip) => Addresses::One(SocketAddr::new(ip, port)),
        Err(_) => Addresses::Named(host.to_owned(), port),
    }
}

impl Addressed for str {
    fn addresses(&self) -> io::Result<Addresses> {
        if let Ok(address) = self.parse() {
            return Ok(Addresses::One(address));
        }
        let port = self.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        match port {
            Some((host, port)) => Ok(host_and_port(host, port)),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{self:?} is not of the form host:port with a port from 0 to 65535"),
            )),
        }
    }
}

impl Addressed for String {
    fn addresses(&self) -> io::Result<Addresses> {
        self.as_str().addresses()
    }
}

impl Addressed for (&str, u16) {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(host_and_port(self.0, self.1))
    }
}

impl Addressed for (String, u16) {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(host_and_port(&self.0, self.1))
    }
}

impl Addressed for SocketAddr {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::One(*self))
    }
}

impl Addressed for SocketAddrV4 {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::One((*self).into()))
    }
}

impl Addressed for SocketAddrV6 {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::One((*self).into()))
    }
}

impl Addressed for (IpAddr, u16) {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::One((*self).into()))
    }
}

impl Addressed for (Ipv4Addr, u16) {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::One((*self).into()))
    }
}

impl Addressed for (Ipv6Addr, u16) {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::One((*self).into()))
    }
}

impl Addressed for [SocketAddr] {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::Many(self.to_vec()))
    }
}

impl<const N: usize> Addressed for [SocketAddr; N] {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::Many(self.to_vec()))
    }
}

impl Addressed for Vec<SocketAddr> {
    fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses::Many(self.clone()))
    }
}

impl<T: Addressed + ?Sized> Addressed for &T {
    fn addresses(&self) -> io::Result<Addresses> {
        (**self).addresses()
    }
}
