//! Moves bytes: reads answers for those who wait, and writes what they could not write themselves.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use redis::Value;
use tokio_util::io::poll_read_buf;

use super::Gone;
use super::dial::Reader;
use super::reply::{Frames, read};
use super::traffic::Traffic;

/// Room for one read, in bytes.
const READ_BYTES: usize = 16 * 1024;
/// Most room for what is known to come, in bytes: a damaged length costs no more than that.
const MAX_AHEAD: usize = 1024 * 1024;
/// After so many bytes those who got answers have their turn, so that they ask again while the server answers others.
const MAX_READ: usize = 64 * 1024;
/// Most bytes of room that are kept when nothing is in them.
const MAX_KEPT: usize = 256 * 1024;

/// A task of its own, which ends with its connection.
pub(super) struct Driver {
    traffic: Arc<Traffic>,
    reader: Reader,
    received: BytesMut,
    frames: Frames,
    /// Whether those who were ready to ask have had their turn: what they ask goes along, for nearly nothing.
    yielded: bool,
}

impl Driver {
    pub(super) fn new(traffic: Arc<Traffic>, reader: Reader) -> Self {
        Self { traffic, reader, received: BytesMut::new(), frames: Frames::default(), yielded: false }
    }

    /// Moves what can be moved, and says whether there is more to do as soon as others have had their turn.
    fn turn(&mut self, context: &mut Context) -> Result<bool, Gone> {
        let blocked = self.yielded && self.traffic.write(context)?.is_pending();
        let more = self.read(context)?;
        Ok(more || (self.traffic.has_unwritten()? && !blocked))
    }

    /// Reads what has come, and says whether there may be more of it.
    fn read(&mut self, context: &mut Context) -> Result<bool, Gone> {
        if self.received.is_empty() && self.received.capacity() > MAX_KEPT {
            self.received = BytesMut::new();
        }
        let mut read = 0;
        while read < MAX_READ {
            let missing = self.frames.missing(self.received.len());
            self.received.reserve(missing.clamp(READ_BYTES, MAX_AHEAD));
            match poll_read_buf(Pin::new(&mut self.reader), context, &mut self.received) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Ok(0)) => return Err(Gone("the server closed the connection".into())),
                Poll::Ready(Ok(more)) => read += more,
                Poll::Ready(Err(error)) => return Err(Gone(error.to_string())),
            }
            self.deliver()?;
        }
        Ok(true)
    }

    /// Delivers the frames that are complete, also those before one that cannot be read.
    fn deliver(&mut self) -> Result<(), Gone> {
        let mut answers = Vec::new();
        let all_read = self.complete(&mut answers);
        if !answers.is_empty() {
            self.traffic.deliver(answers)?;
        }
        all_read
    }

    fn complete(&mut self, answers: &mut Vec<Value>) -> Result<(), Gone> {
        while let Some(length) = self.frames.next(&self.received)? {
            answers.push(read(&self.received[..length])?);
            self.received.advance(length);
        }
        Ok(())
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<()> {
        self.traffic.register(context.waker());
        match self.turn(context) {
            Ok(more) => {
                self.yielded = more;
                if more {
                    context.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Err(Gone(reason)) => {
                self.traffic.end(&reason);
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Driver {
    /// Its runtime may end before it.
    fn drop(&mut self) {
        self.traffic.end("the runtime that read from the connection was shut down");
    }
}
