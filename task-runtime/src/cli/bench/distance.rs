//! A stand-in for a network: what goes through it arrives later.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::cli::Exit;

/// The port of a URL that does not name one.
const DEFAULT_PORT: &str = "6379";
/// Most bytes that are read at a time.
const CHUNK: usize = 64 * 1024;
/// Most chunks that are on their way in one direction.
const ON_THE_WAY: usize = 1_024;

/// A forwarder on this machine; it ends with this value.
pub(super) struct Distance {
    url: String,
    accepting: JoinHandle<()>,
}

impl Distance {
    /// Forwards to the server of `url`, half of `round_trip` later in each direction.
    pub(super) async fn open(url: &str, round_trip: Duration) -> Result<Self, Exit> {
        let unusable = || Exit::new(Exit::USAGE, "--round-trip needs a URL redis://… with one host");
        let rest = url.strip_prefix("redis://").ok_or_else(unusable)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        if host.is_empty() || host.contains(',') {
            return Err(unusable());
        }
        let port_is_named = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let server = if port_is_named { host.to_owned() } else { format!("{host}:{DEFAULT_PORT}") };
        let failed = |error: std::io::Error| Exit::new(Exit::FAILURE, format!("--round-trip: {error}"));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.map_err(failed)?;
        let here = listener.local_addr().map_err(failed)?;
        let accepting = tokio::spawn(accept(listener, server, round_trip / 2));
        Ok(Self { url: format!("redis://{user}{here}{path}"), accepting })
    }

    /// The URL of the server as seen from afar.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: String, delay: Duration) {
    while let Ok((near, _)) = listener.accept().await {
        let server = server.clone();
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect(server).await else { return };
            // Without it the delay is not the one that was asked for.
            let _ = near.set_nodelay(true).and(far.set_nodelay(true));
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            tokio::spawn(carry(near_read, far_write, delay));
            carry(far_read, near_write, delay).await;
        });
    }
}

/// Everything from one end to the other, each chunk `delay` after it came.
async fn carry(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin + Send,
    delay: Duration,
) {
    let (send, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    tokio::spawn(async move {
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            match from.read_buf(&mut chunk).await {
                Ok(read) if read > 0 => {}
                _ => return,
            }
            if send.send((Instant::now() + delay, chunk)).await.is_err() {
                return;
            }
        }
    });
    while let Some((due, chunk)) = chunks.recv().await {
        sleep_until(due).await;
        if to.write_all(&chunk).await.is_err() {
            return;
        }
    }
}
