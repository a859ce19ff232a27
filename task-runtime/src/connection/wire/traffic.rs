//! What was asked over a connection and not answered yet, in the order of the requests.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_util::task::AtomicWaker;
use redis::{Cmd, Value};
use tokio::io::AsyncWrite as _;
use tokio::sync::oneshot;

use super::Gone;
use super::dial::Writer;

/// So many commands, or bytes of them, are written at once by who brings the last: the server begins while others still
/// ask.
const WRITE_COMMANDS: usize = 16;
const WRITE_BYTES: usize = 8 * 1024;
/// Most bytes of room that are kept for the next requests.
const MAX_KEPT: usize = 256 * 1024;

/// What those who ask and the one who reads share.
pub(super) struct Traffic {
    /// `Err` once the connection has ended.
    state: Mutex<Result<Open, Gone>>,
    driver: AtomicWaker,
}

struct Open {
    writer: Writer,
    unwritten: Unwritten,
    waiting: VecDeque<Waiting>,
}

#[derive(Default)]
struct Unwritten {
    bytes: Vec<u8>,
    /// As many of them are written already.
    written: usize,
    commands: usize,
    /// Whether the driver waits for room to write them.
    blocked: bool,
}

/// Who waits for the next `wanted` answers.
struct Waiting {
    wanted: usize,
    came: Vec<Value>,
    reply: oneshot::Sender<Vec<Value>>,
}

impl Traffic {
    pub(super) fn new(writer: Writer) -> Self {
        let open = Open { writer, unwritten: Unwritten::default(), waiting: VecDeque::new() };
        Self { state: Mutex::new(Ok(open)), driver: AtomicWaker::new() }
    }

    /// Writes commands, at once when nothing else is under way or many wait to be written. Otherwise the driver does,
    /// with those of others who ask meanwhile.
    pub(super) fn send(&self, commands: &[&Cmd]) -> Result<oneshot::Receiver<Vec<Value>>, Gone> {
        let (reply, answers) = oneshot::channel();
        let came = Vec::with_capacity(commands.len());
        let written = {
            let mut state = self.state();
            let open = open(&mut state)?;
            let alone = open.waiting.is_empty();
            commands.iter().for_each(|command| command.write_packed_command(&mut open.unwritten.bytes));
            open.unwritten.commands += commands.len();
            open.waiting.push_back(Waiting { wanted: commands.len(), came, reply });
            let at_once = alone || open.unwritten.are_many();
            // What does not fit now is the driver's, which sees an error again.
            at_once
                && !open.unwritten.blocked
                && matches!(open.write(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())))
        };
        if !written {
            self.driver.wake();
        }
        Ok(answers)
    }

    /// Has `driver` be woken when there is something to write, and when the connection ends.
    pub(super) fn register(&self, driver: &Waker) {
        self.driver.register(driver);
    }

    /// Whether there is something to write.
    pub(super) fn has_unwritten(&self) -> Result<bool, Gone> {
        Ok(!open(&mut self.state())?.unwritten.bytes.is_empty())
    }

    /// Writes as much as goes.
    pub(super) fn write(&self, context: &mut Context) -> Result<Poll<()>, Gone> {
        let mut state = self.state();
        let open = open(&mut state)?;
        let written = open.write(context);
        open.unwritten.blocked = written.is_pending();
        match written {
            Poll::Ready(Ok(())) => Ok(Poll::Ready(())),
            Poll::Ready(Err(error)) => Err(Gone(error.to_string())),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Gives answers to those who wait for them. `Err` when nobody does.
    pub(super) fn deliver(&self, answers: Vec<Value>) -> Result<(), Gone> {
        let mut complete = Vec::with_capacity(answers.len());
        let mut asked = true;
        {
            let mut state = self.state();
            let open = open(&mut state)?;
            for answer in answers {
                let Some(next) = open.waiting.front_mut() else {
                    asked = false;
                    break;
                };
                next.came.push(answer);
                if next.came.len() == next.wanted {
                    complete.extend(open.waiting.pop_front());
                }
            }
        }
        // They ask again at once, and would wait for the lock.
        for Waiting { came, reply, .. } in complete {
            // Who is gone does not want it.
            let _ = reply.send(came);
        }
        if asked { Ok(()) } else { Err(Gone("an answer came that nobody asked for".into())) }
    }

    /// Tells all who wait that no answer comes. The first reason stays.
    pub(super) fn end(&self, reason: &str) {
        let ended = {
            let mut state = self.state();
            if state.is_err() {
                return;
            }
            std::mem::replace(&mut *state, Err(Gone(reason.to_owned())))
        };
        // With it go those who wait, and look for the reason.
        drop(ended);
        self.driver.wake();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state().is_err()
    }

    /// Why an answer does not come.
    pub(super) fn gone(&self) -> Gone {
        self.state().as_ref().err().cloned().unwrap_or_else(|| Gone("the answer was lost".into()))
    }

    fn state(&self) -> MutexGuard<'_, Result<Open, Gone>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(state: &mut Result<Open, Gone>) -> Result<&mut Open, Gone> {
    state.as_mut().map_err(|gone| gone.clone())
}

impl Unwritten {
    fn are_many(&self) -> bool {
        self.commands >= WRITE_COMMANDS || self.bytes.len() - self.written >= WRITE_BYTES
    }
}

impl Open {
    fn write(&mut self, context: &mut Context) -> Poll<io::Result<()>> {
        let Unwritten { bytes, written, commands, .. } = &mut self.unwritten;
        while *written < bytes.len() {
            match ready!(Pin::new(&mut self.writer).poll_write(context, &bytes[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        ready!(Pin::new(&mut self.writer).poll_flush(context))?;
        (*written, *commands) = (0, 0);
        bytes.clear();
        bytes.shrink_to(MAX_KEPT);
        Poll::Ready(Ok(()))
    }
}
