//! One direction of one connection: frames as they come, and their delivery when they are due.

use std::io;
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::line::Line;
use super::resp;

/// Most bytes that wait; a larger frame waits alone.
const MAX_WAITING: usize = 8 * 1024 * 1024;
/// Most frames that wait.
const MAX_FRAMES: usize = 4_096;
/// How much is read at a time.
const CHUNK: usize = 64 * 1024;
/// How often a slow line moves.
const TICK: Duration = Duration::from_millis(20);

/// What is sent into one direction.
pub(super) struct Pipe {
    items: mpsc::Sender<Item>,
    room: Arc<Semaphore>,
    /// Whether nothing is delivered any more.
    mute: AtomicBool,
}

/// Something to be delivered.
pub(super) struct Item {
    due: Instant,
    bytes: Vec<u8>,
    then: Then,
    _room: Option<OwnedSemaphorePermit>,
}

/// What follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// More may come.
    Go,
    /// The direction is closed.
    HalfClose,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
}

impl Pipe {
    pub(super) fn new() -> (Pipe, mpsc::Receiver<Item>) {
        let (items, receiver) = mpsc::channel(MAX_FRAMES);
        let room = Arc::new(Semaphore::new(MAX_WAITING));
        (Pipe { items, room, mute: AtomicBool::new(false) }, receiver)
    }

    /// Has nothing delivered any more from now on, if `mute`.
    pub(super) fn mute_if(&self, mute: bool) {
        self.mute.fetch_or(mute, Ordering::SeqCst);
    }

    /// Sends something that arrives after `late`, unless the direction is mute.
    pub(super) async fn push(&self, bytes: Vec<u8>, late: Duration, then: Then) {
        if self.mute.load(Ordering::SeqCst) {
            return;
        }
        let due = Instant::now() + late;
        let wanted = u32::try_from(bytes.len().min(MAX_WAITING)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(wanted).await.ok();
        // An error says that the connection has ended.
        let _ = self.items.send(Item { due, bytes, then, _room: room }).await;
    }

    /// Ends it behind all that was sent, mute or not.
    pub(super) async fn end(&self, then: Then) {
        let item = Item { due: Instant::now(), bytes: Vec::new(), then, _room: None };
        let _ = self.items.send(item).await;
    }
}

/// Writes what is due to `socket`, as the line allows; answers how it is to end.
///
/// When the other side is gone the rest is only waited for, because the end is still to be told.
pub(super) async fn deliver(
    mut items: mpsc::Receiver<Item>,
    socket: &TcpStream,
    mut line: watch::Receiver<Line>,
) -> Then {
    let mut gone = false;
    while let Some(item) = items.recv().await {
        sleep_until(item.due).await;
        // An error says that the proxy ends.
        let _ = line.wait_for(|line| *line != Line::Hold).await;
        let speed = *line.borrow();
        gone = gone || write(socket, &item.bytes, speed).await.is_err();
        match item.then {
            Then::Go => {}
            Then::HalfClose => close_writing(socket),
            end => return end,
        }
    }
    Then::Close
}

#[expect(clippy::disallowed_methods, reason = "a slow line takes its time")]
async fn write(socket: &TcpStream, bytes: &[u8], line: Line) -> io::Result<()> {
    let Line::Throttle { bytes_per_second } = line else { return write_all(socket, bytes).await };
    let each = f64::from(bytes_per_second) * TICK.as_secs_f64();
    for some in bytes.chunks((each as usize).max(1)) {
        write_all(socket, some).await?;
        sleep(TICK.mul_f64(some.len() as f64 / each)).await;
    }
    Ok(())
}

async fn write_all(socket: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        socket.writable().await?;
        match socket.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn close_writing(socket: &TcpStream) {
    // SAFETY: the descriptor is that of `socket`, which lives. An error says that the other side is gone.
    unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_WR) };
}

/// The frames that come from one side.
pub(super) struct Frames<'a> {
    socket: &'a TcpStream,
    bytes: Vec<u8>,
}

impl<'a> Frames<'a> {
    pub(super) fn new(socket: &'a TcpStream) -> Self {
        Self { socket, bytes: Vec::new() }
    }

    /// The next frame; none when the side has ended, or says what is not the protocol.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(length) = resp::frame(&self.bytes).ok()? {
                return Some(self.bytes.drain(..length).collect());
            }
            self.socket.readable().await.ok()?;
            let before = self.bytes.len();
            self.bytes.resize(before + CHUNK, 0);
            let read = self.socket.try_read(&mut self.bytes[before..]);
            self.bytes.truncate(before + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return None,
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return None,
                _ => {}
            }
        }
    }
}
