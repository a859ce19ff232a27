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

/// Most bytes of room that are kept for the next requests.
const MAX_KEPT: usize = 256 * 1024;

/// What those who ask and the one who reads share.
pub(super) struct Traffic {
    state: Mutex<State>,
    driver: AtomicWaker,
}

enum State {
    Open(Open),
    /// With the reason.
    Ended(String),
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
        Self { state: Mutex::new(State::Open(open)), driver: AtomicWaker::new() }
    }

    /// Writes commands, at once when nothing else is under way. Otherwise the driver does, with those of others who ask
    /// meanwhile.
    pub(super) fn send(&self, commands: &[&Cmd]) -> Result<oneshot::Receiver<Vec<Value>>, Gone> {
        let (reply, answers) = oneshot::channel();
        let written = {
            let mut state = self.state();
            let open = match &mut *state {
                State::Open(open) => open,
                State::Ended(reason) => return Err(Gone(reason.clone())),
            };
            let alone = open.waiting.is_empty() && open.unwritten.bytes.is_empty();
            commands.iter().for_each(|command| command.write_packed_command(&mut open.unwritten.bytes));
            let came = Vec::with_capacity(commands.len());
            open.waiting.push_back(Waiting { wanted: commands.len(), came, reply });
            // What does not fit now is the driver's, which sees an error again.
            alone && matches!(open.write(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())))
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
    pub(super) fn has_unwritten(&self) -> bool {
        matches!(&*self.state(), State::Open(open) if !open.unwritten.bytes.is_empty())
    }

    /// Writes as much as goes. `Err` when the connection has ended, or must.
    pub(super) fn write(&self, context: &mut Context) -> Result<(), Gone> {
        match &mut *self.state() {
            State::Open(open) => match open.write(context) {
                Poll::Ready(Err(error)) => Err(Gone(error.to_string())),
                _ => Ok(()),
            },
            State::Ended(reason) => Err(Gone(reason.clone())),
        }
    }

    /// Gives answers to those who wait for them. `Err` when nobody does.
    pub(super) fn deliver(&self, answers: impl Iterator<Item = Value>) -> Result<(), Gone> {
        let mut complete = Vec::new();
        let unasked = {
            let mut state = self.state();
            let open = match &mut *state {
                State::Open(open) => open,
                State::Ended(reason) => return Err(Gone(reason.clone())),
            };
            let mut unasked = false;
            for answer in answers {
                let Some(next) = open.waiting.front_mut() else {
                    unasked = true;
                    break;
                };
                next.came.push(answer);
                if next.came.len() == next.wanted {
                    complete.extend(open.waiting.pop_front());
                }
            }
            unasked
        };
        // Those who are woken ask again at once.
        for Waiting { came, reply, .. } in complete {
            // Who is gone does not want it.
            let _ = reply.send(came);
        }
        if unasked { Err(Gone("an answer came that nobody asked for".into())) } else { Ok(()) }
    }

    /// Tells all who wait that no answer comes; the first reason stays.
    pub(super) fn end(&self, reason: &str) {
        let ended = {
            let mut state = self.state();
            match &*state {
                State::Open(_) => std::mem::replace(&mut *state, State::Ended(reason.to_owned())),
                State::Ended(_) => return,
            }
        };
        // Those who wait look for the reason.
        drop(ended);
        self.driver.wake();
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(&*self.state(), State::Ended(_))
    }

    /// Why an answer does not come.
    pub(super) fn gone(&self) -> Gone {
        match &*self.state() {
            State::Ended(reason) => Gone(reason.clone()),
            State::Open(_) => Gone("the answer was lost".into()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn write(&mut self, context: &mut Context) -> Poll<io::Result<()>> {
        let Unwritten { bytes, written } = &mut self.unwritten;
        while *written < bytes.len() {
            match ready!(Pin::new(&mut self.writer).poll_write(context, &bytes[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        ready!(Pin::new(&mut self.writer).poll_flush(context))?;
        *written = 0;
        bytes.clear();
        bytes.shrink_to(MAX_KEPT);
        Poll::Ready(Ok(()))
    }
}
