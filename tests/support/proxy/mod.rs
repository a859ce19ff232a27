//! A TCP proxy that knows the protocol of Redis and injects faults, between real clients and a real server.
//!
//! It runs on a thread of its own in the test process; clients of this and of other processes need only its address.
//!
//! ```no_run
//! use std::time::Duration;
//! use support::{Fault, Line, On, Proxy, Way, When, shared_redis};
//!
//! let proxy = Proxy::to(shared_redis().port());
//! let url = proxy.url();
//! // The third turn of a worker is carried out, and nobody hears of it.
//! let cut = proxy.inject(On::Script("turn"), When::Nth(3), Fault::Cut);
//! // What the server says is half a second late.
//! proxy.set(Way::Replies, Line::delay(Duration::from_millis(500)));
//! cut.wait(1, Duration::from_secs(10));
//! ```

mod line;
mod names;
mod pipe;
mod resp;
mod rule;
mod session;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::eventually_blocking;

pub use line::{Line, Way};
pub use rule::{Fault, On, When};

use names::Names;
use rule::Rules;

/// What is drawn by chance is drawn from this, unless the test gives another seed.
const SEED: u64 = 1;

/// A proxy that listens. Dropping it closes all its connections.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    /// Taken only to be shut down.
    runtime: Option<Runtime>,
}

/// What all connections of a proxy have in common.
#[derive(Debug)]
struct Shared {
    upstream: AtomicU16,
    rules: Mutex<Rules>,
    names: Mutex<Names>,
    requests: watch::Sender<Line>,
    replies: watch::Sender<Line>,
    /// Grows when every connection is to be reset.
    resets: watch::Sender<u64>,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

/// A fault that was injected; it stays until it is lifted or its proxy ends.
#[derive(Debug)]
pub struct Injected {
    shared: Arc<Shared>,
    number: usize,
}

impl Proxy {
    /// A proxy to the server that listens on `port` of 127.0.0.1. It passes everything.
    pub fn to(port: u16) -> Proxy {
        Proxy::seeded(port, SEED)
    }

    /// A proxy whose chances are drawn from `seed`.
    pub fn seeded(upstream: u16, seed: u64) -> Proxy {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_all()
            .build()
            .expect("a test process can start a thread");
        let shared = Arc::new(Shared {
            upstream: AtomicU16::new(upstream),
            rules: Mutex::new(Rules::new(seed)),
            names: Mutex::default(),
            requests: watch::Sender::new(Line::Pass),
            replies: watch::Sender::new(Line::Pass),
            resets: watch::Sender::new(0),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        listener.set_nonblocking(true).expect("a listener may be non-blocking");
        let port = listener.local_addr().expect("a listener has an address").port();
        let serving = Arc::clone(&shared);
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("the runtime has I/O");
            loop {
                // An error is that of one connection, which its client has ended already.
                let Ok((client, _)) = listener.accept().await else { continue };
                serving.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(session::serve(Arc::clone(&serving), client));
            }
        });
        Proxy { port, shared, runtime: Some(runtime) }
    }

    /// The port on which it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://…` of the proxy, for a server without a password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Injects a fault from now on. Of several that apply to one request, the first that was injected does.
    pub fn inject(&self, on: On, when: When, fault: Fault) -> Injected {
        let number = self.shared.rules().add(on, when, fault);
        Injected { shared: Arc::clone(&self.shared), number }
    }

    /// Has all connections of one direction be like `line` from now on, what is under way included.
    pub fn set(&self, way: Way, line: Line) {
        self.shared.line(way).send_replace(line);
    }

    /// Passes everything again, in both directions, and lifts every fault.
    pub fn heal(&self) {
        self.shared.rules().clear();
        self.set(Way::Requests, Line::Pass);
        self.set(Way::Replies, Line::Pass);
    }

    /// New connections go to the server on `port`; those that are there stay where they are.
    pub fn retarget(&self, port: u16) {
        self.shared.upstream.store(port, Ordering::SeqCst);
    }

    /// Resets every connection, with RST on both sides.
    pub fn reset_all(&self) {
        self.shared.resets.send_modify(|resets| *resets += 1);
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections there are.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// How many requests of this kind have come so far.
    pub fn seen(&self, on: On) -> u64 {
        self.shared.rules().seen(on)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A test may drop it on a runtime of its own, where nothing may block.
            runtime.shutdown_background();
        }
    }
}

impl Injected {
    /// How often the fault acted.
    pub fn hits(&self) -> u64 {
        self.shared.rules().hits(self.number)
    }

    /// Waits until the fault has acted `hits` times. It blocks the thread.
    #[track_caller]
    pub fn wait(&self, hits: u64, bound: Duration) {
        eventually_blocking(&format!("the fault acts {hits} times"), bound, || (self.hits() >= hits).then_some(()));
    }

    /// Ends the fault; what it holds back is still delivered late.
    pub fn lift(&self) {
        self.shared.rules().lift(self.number);
    }
}

impl Shared {
    fn line(&self, way: Way) -> &watch::Sender<Line> {
        match way {
            Way::Requests => &self.requests,
            Way::Replies => &self.replies,
        }
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chance(&self) -> f64 {
        self.rules().chance()
    }

    fn draw(&self, end: usize) -> usize {
        self.rules().draw(end)
    }

    /// The fault that a request meets.
    fn judge(&self, frame: &[u8]) -> Option<Fault> {
        let name = self.names.lock().unwrap_or_else(PoisonError::into_inner).of(frame);
        match name {
            Ok(name) => self.rules().choose(&name),
            Err(answer) => Some(Fault::Answer(answer)),
        }
    }
}
