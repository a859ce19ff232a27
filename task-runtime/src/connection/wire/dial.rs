//! Opens the socket to a server: TCP, TLS over it, or a Unix socket.

use std::io;
#[cfg(feature = "tls")]
use std::sync::Arc;

use futures_util::future::select_ok;
use redis::ConnectionAddr;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

use crate::connection::target::Address;

pub(super) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Opens a socket to the server at `address`.
pub(super) async fn dial(address: &Address) -> io::Result<(Reader, Writer)> {
    match address.place() {
        ConnectionAddr::Tcp(host, port) => {
            let (reader, writer) = tcp(host, *port).await?.into_split();
            Ok((Box::new(reader), Box::new(writer)))
        }
        #[cfg(feature = "tls")]
        ConnectionAddr::TcpTls { host, port, .. } => {
            let (reader, writer) = tokio::io::split(tls(host, *port).await?);
            Ok((Box::new(reader), Box::new(writer)))
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            let (reader, writer) = tokio::net::UnixStream::connect(path).await?.into_split();
            Ok((Box::new(reader), Box::new(writer)))
        }
        other => {
            Err(io::Error::new(io::ErrorKind::Unsupported, format!("{other} cannot be reached from this program")))
        }
    }
}

/// The first address of the host that accepts.
async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let places = lookup_host((host.trim_matches(['[', ']']), port)).await?;
    let attempts: Vec<_> = places.map(|place| Box::pin(TcpStream::connect(place))).collect();
    if attempts.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("the host {host} has no address")));
    }
    let (stream, _) = select_ok(attempts).await?;
    // Without it a request waits for the acknowledgement of the one before.
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(feature = "tls")]
async fn tls(host: &str, port: u16) -> io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
    use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};

    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut found = rustls_native_certs::load_native_certs();
    if let Some(error) = found.errors.pop() {
        return Err(io::Error::other(error));
    }
    let mut authorities = RootCertStore::empty();
    for certificate in found.certs {
        authorities.add(certificate).map_err(io::Error::other)?;
    }
    let config = ClientConfig::builder().with_root_certificates(authorities).with_no_client_auth();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp(host, port).await?).await
}
