//! One broker of a history, and for those on a server the keys behind it.

use std::sync::Arc;

use support::View;
use support::redis::{Connection, cmd};
use task_runtime::broker::Broker;

/// A broker under test.
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) raw: Option<Raw>,
}

/// The keys of the queue, looked at from beside the broker.
pub(crate) struct Raw {
    connection: Connection,
    tag: String,
    replica: Option<Vec<(String, Vec<u8>)>>,
}

impl Raw {
    pub(crate) fn new(connection: Connection, tag: String) -> Self {
        Self { connection, tag, replica: None }
    }

    /// Everything that the server holds of the queue.
    pub(crate) fn view(&mut self) -> Result<View, String> {
        View::read(&mut self.connection, &self.tag)
    }

    /// Keeps what is there now, for [`Raw::restore`].
    pub(crate) fn replicate(&mut self) -> Result<(), String> {
        let names: Vec<String> = self.ask(cmd("KEYS").arg(format!("{}*", self.tag)))?;
        let mut dumps = Vec::with_capacity(names.len());
        for name in names {
            let dump = self.ask(cmd("DUMP").arg(&name))?;
            dumps.push((name, dump));
        }
        self.replica = Some(dumps);
        Ok(())
    }

    /// Puts back what was there at the last [`Raw::replicate`].
    pub(crate) fn restore(&mut self) -> Result<(), String> {
        let Some(dumps) = self.replica.take() else { return Ok(()) };
        self.clear()?;
        for (name, dump) in dumps {
            self.ask::<String>(cmd("RESTORE").arg(name).arg(0).arg(dump))?;
        }
        Ok(())
    }

    /// Removes all keys of the server.
    pub(crate) fn clear(&mut self) -> Result<(), String> {
        self.ask(&mut cmd("FLUSHALL"))
    }

    /// Makes the server forget its scripts.
    pub(crate) fn flush_scripts(&mut self) -> Result<(), String> {
        self.ask(cmd("SCRIPT").arg("FLUSH"))
    }

    fn ask<T: support::redis::FromRedisValue>(&mut self, command: &mut support::redis::Cmd) -> Result<T, String> {
        command.query(&mut self.connection).map_err(|error| error.to_string())
    }
}
