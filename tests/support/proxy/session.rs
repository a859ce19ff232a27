//! One connection through the proxy: frames are read on both sides, judged, and delivered when they are due.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::timeout;

use super::Shared;
use super::line::Line;
use super::pipe::{Frames, Item, Pipe, Then, deliver};
use super::resp;
use super::rule::Fault;

/// How long the answer to a request that arrived late is waited for, so that it is carried out.
const LATE_ANSWER: Duration = Duration::from_secs(2);

/// What is due to the client next.
enum Expected {
    /// The server's answer, which may meet a fault.
    Reply(Option<Fault>),
    /// An answer in the server's place.
    Instead(Vec<u8>),
}

struct Session {
    shared: Arc<Shared>,
    expected: Mutex<VecDeque<Expected>>,
    /// An answer that is to change places with the next one.
    held: Mutex<Option<Vec<u8>>>,
    /// Told when nothing is expected any more.
    answered: Notify,
    /// Whether a request was late, so that it must outlive its client.
    late: AtomicBool,
    to_server: Pipe,
    to_client: Pipe,
}

/// Counts a connection while it is there.
struct Open<'a>(&'a Shared);

/// Serves one client until one side ends.
pub(super) async fn serve(shared: Arc<Shared>, client: TcpStream) {
    let _open = Open::new(&shared);
    let mut resets = shared.resets.subscribe();
    let lines = (shared.requests.subscribe(), shared.replies.subscribe());
    let port = shared.upstream.load(Ordering::SeqCst);
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
        // As if nobody listened there.
        let _ = client.set_zero_linger();
        return;
    };
    // Without it a delay of the system would be added to those of the test; an error says that the client is gone.
    let _ = client.set_nodelay(true).and(server.set_nodelay(true));
    let ((to_server, requests), (to_client, replies)) = (Pipe::new(), Pipe::new());
    let (expected, held) = (Mutex::default(), Mutex::default());
    let (answered, late) = (Notify::new(), AtomicBool::new(false));
    let session = Session { shared: Arc::clone(&shared), expected, held, answered, late, to_server, to_client };
    let reset = tokio::select! {
        () = session.forward(&client, &server, requests, lines.0) => false,
        then = deliver(replies, &client, lines.1) => then == Then::Reset,
        () = session.back(&server) => false,
        _ = resets.changed() => true,
    };
    if reset {
        // An error says that it has ended by itself.
        let _ = client.set_zero_linger().and(server.set_zero_linger());
    }
}

impl Session {
    /// Takes requests to the server; returns when the client has gone and all that it asked has arrived.
    async fn forward(
        &self,
        client: &TcpStream,
        server: &TcpStream,
        requests: mpsc::Receiver<Item>,
        line: watch::Receiver<Line>,
    ) {
        tokio::join!(self.read_requests(client), deliver(requests, server, line));
        if self.late.load(Ordering::SeqCst) {
            let _ = timeout(LATE_ANSWER, self.all_answered()).await;
        }
    }

    async fn read_requests(&self, client: &TcpStream) {
        let mut frames = Frames::new(client);
        while let Some(frame) = frames.next().await {
            let line = *self.shared.requests.borrow();
            let mut late = line.lateness(self.shared.chance());
            self.to_server.mute_if(line == Line::Vanish);
            match self.shared.judge(&frame) {
                Some(Fault::Refuse) => self.to_client.end(Then::Reset).await,
                Some(Fault::Answer(text)) => self.answer_instead(format!("{text}\r\n").into_bytes()).await,
                fault => {
                    if let Some(Fault::Late(by)) = &fault {
                        self.late.store(true, Ordering::SeqCst);
                        late += *by;
                    }
                    self.expected().push_back(Expected::Reply(fault));
                    self.to_server.push(frame, late, Then::Go).await;
                }
            }
        }
        self.to_server.end(Then::Close).await;
    }

    /// Answers a request when those before it are answered.
    async fn answer_instead(&self, answer: Vec<u8>) {
        let at_once = {
            let mut expected = self.expected();
            expected.push_back(Expected::Instead(answer));
            expected.len() == 1
        };
        if at_once {
            self.answer_what_is_next().await;
        }
    }

    /// Gives every answer that needs no server and is next.
    async fn answer_what_is_next(&self) {
        while let Some(answer) = self.next_instead() {
            self.reply(answer, Then::Go).await;
        }
        if self.expected().is_empty() {
            self.answered.notify_waiters();
        }
    }

    /// The next answer, if it needs no server.
    fn next_instead(&self) -> Option<Vec<u8>> {
        let mut expected = self.expected();
        match expected.pop_front()? {
            Expected::Instead(answer) => Some(answer),
            reply => {
                expected.push_front(reply);
                None
            }
        }
    }

    /// Takes answers back to the client; never returns, because what ends the client's side is delivered in order.
    async fn back(&self, server: &TcpStream) {
        let mut frames = Frames::new(server);
        while let Some(frame) = frames.next().await {
            if resp::is_unasked(&frame) {
                self.reply(frame, Then::Go).await;
                continue;
            }
            let fault = match self.expected().pop_front() {
                Some(Expected::Reply(fault)) => fault,
                _ => None,
            };
            let swapped = self.held().take();
            self.reply_under(frame, fault).await;
            if let Some(swapped) = swapped {
                self.reply(swapped, Then::Go).await;
            }
            self.answer_what_is_next().await;
        }
        self.reply(Vec::new(), Then::Close).await;
        std::future::pending().await
    }

    async fn reply_under(&self, mut frame: Vec<u8>, fault: Option<Fault>) {
        match fault {
            Some(Fault::Cut) => self.to_client.end(Then::Reset).await,
            Some(Fault::Mute) => self.to_client.mute_if(true),
            Some(Fault::DropReply) => {}
            Some(Fault::Duplicate) => {
                frame.extend_from_within(..);
                self.reply(frame, Then::Go).await;
            }
            Some(Fault::Swap) if self.awaits_another() => *self.held() = Some(frame),
            Some(Fault::Extra(line)) => {
                self.reply([line.as_bytes(), b"\r\n", &frame].concat(), Then::Go).await;
            }
            Some(Fault::Truncate(length)) => {
                frame.truncate(length);
                self.reply(frame, Then::Close).await;
            }
            Some(Fault::Corrupt) => {
                let places = resp::framing(&frame);
                let place = places[self.shared.draw(places.len())];
                frame[place] ^= 1 << self.shared.draw(7);
                self.reply(frame, Then::Go).await;
            }
            Some(Fault::HalfClose) => self.reply(frame, Then::HalfClose).await,
            _ => self.reply(frame, Then::Go).await,
        }
    }

    async fn reply(&self, bytes: Vec<u8>, then: Then) {
        let line = *self.shared.replies.borrow();
        self.to_client.mute_if(line == Line::Vanish);
        self.to_client.push(bytes, line.lateness(self.shared.chance()), then).await;
    }

    async fn all_answered(&self) {
        let answered = self.answered.notified();
        let nothing = self.expected().is_empty();
        if !nothing {
            answered.await;
        }
    }

    /// Whether the server's answer to a further request is still to come.
    fn awaits_another(&self) -> bool {
        matches!(self.expected().front(), Some(Expected::Reply(_)))
    }

    fn held(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expected(&self) -> MutexGuard<'_, VecDeque<Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Open<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.open.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
