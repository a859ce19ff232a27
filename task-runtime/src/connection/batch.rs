//! Commands that come while others are under way are sent together.
//!
//! It spares each of them most of what it costs this process to send one. A command that comes alone goes alone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{Arg, Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Most commands that are sent together, and bytes after which no more are added.
const MAX_COMMANDS: usize = 128;
const MAX_BYTES: usize = 256 * 1024;

type Reply = oneshot::Sender<RedisResult<Value>>;

/// What is sent over one connection.
#[derive(Clone, Default)]
pub(super) struct Batch(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// That connection, from the first command on.
    connection: OnceLock<MultiplexedConnection>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether a command, or several together, are under way.
    under_way: bool,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    command: Cmd,
    bytes: usize,
    reply: Reply,
}

impl Batch {
    /// Sends a command, alone or with others.
    pub(super) async fn send(&self, command: &Cmd, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
        match self.wait(command) {
            Some(answer) => answer.await.unwrap_or_else(|_| Err(shut_down())),
            None => {
                self.0.connection.get_or_init(|| connection.clone());
                let _next = Next(self);
                connection.send_packed_command(command).await
            }
        }
    }

    /// Where the answer comes, if others are under way.
    fn wait(&self, command: &Cmd) -> Option<oneshot::Receiver<RedisResult<Value>>> {
        let mut state = self.state();
        if !state.under_way {
            state.under_way = true;
            return None;
        }
        let (reply, answer) = oneshot::channel();
        state.waiting.push_back(Waiting { command: command.clone(), bytes: bytes_of(command), reply });
        Some(answer)
    }

    /// The commands that are sent next; when there are none, nothing is under way any more.
    fn next(&self) -> Option<(Pipeline, Vec<Reply>)> {
        let mut state = self.state();
        let (mut commands, mut replies, mut bytes) = (redis::pipe(), Vec::new(), 0);
        while replies.len() < MAX_COMMANDS && bytes < MAX_BYTES {
            let Some(next) = state.waiting.pop_front() else { break };
            // A caller that is gone does not ask.
            if !next.reply.is_closed() {
                bytes += next.bytes;
                commands.add_command(next.command);
                replies.push(next.reply);
            }
        }
        state.under_way = !replies.is_empty();
        state.under_way.then_some((commands, replies))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has what waits be sent, also when the caller that went alone is gone before its answer came.
struct Next<'a>(&'a Batch);

impl Drop for Next<'_> {
    fn drop(&mut self) {
        let Some(first) = self.0.next() else { return };
        let flush = Flush { batch: self.0.clone(), is_over: false };
        // A task of its own, so that a caller that is dropped leaves nobody waiting. Without a runtime, `flush` tells those
        // who wait.
        if let (Ok(runtime), Some(connection)) = (Handle::try_current(), self.0.0.connection.get()) {
            runtime.spawn(flush.run(first, connection.clone()));
        }
    }
}

/// Sends what waits, until nothing does.
struct Flush {
    batch: Batch,
    is_over: bool,
}

impl Flush {
    async fn run(mut self, first: (Pipeline, Vec<Reply>), mut connection: MultiplexedConnection) {
        let mut next = Some(first);
        while let Some((commands, replies)) = next {
            match connection.send_packed_commands(&commands, 0, replies.len()).await {
                // Fewer than asked for leave the last without: what is dropped is told.
                Ok(answers) => {
                    replies.into_iter().zip(answers).for_each(|(reply, answer)| drop(reply.send(Ok(answer))))
                }
                Err(error) => replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone())))),
            }
            next = self.batch.next();
        }
        self.is_over = true;
    }
}

impl Drop for Flush {
    /// Its runtime may end in the middle.
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = self.batch.state();
            state.waiting.clear();
            state.under_way = false;
        }
    }
}

fn bytes_of(command: &Cmd) -> usize {
    let length = |arg| if let Arg::Simple(bytes) = arg { <[u8]>::len(bytes) } else { 0 };
    command.args_iter().map(length).sum()
}

fn shut_down() -> RedisError {
    std::io::Error::other("the runtime that sent it was shut down").into()
}
