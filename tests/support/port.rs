//! Free TCP ports that a restarted server can have again.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that Linux (32768) and macOS (49152) give to outgoing connections. A port of that range could be
/// taken by a client, even by a client that reconnects to it and so connects to itself, while its server is down.
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port on 127.0.0.1 that nobody listens on right now. Another process may still be faster, so whoever starts a
/// server on it tries again with the next one.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test processes that run at the same time begin at different places.
    let start = process::id().wrapping_mul(2_654_435_761) % COUNT;
    for _ in 0..COUNT {
        let offset = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("FIRST + COUNT is below 65536");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port on 127.0.0.1 between {FIRST} and {}", FIRST + COUNT);
}
