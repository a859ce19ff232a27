//! One socket to one server: many ask over it at a time, and each gets the answer in the place of its request, or is
//! told that none comes.

mod dial;
mod driver;
mod reply;
mod traffic;

use std::sync::Arc;

use redis::{Cmd, Value, cmd};

use super::target::Address;
use driver::Driver;
use traffic::Traffic;

#[cfg(feature = "fuzzing")]
pub(super) use reply::{Frames, read};

/// Why no answer comes. What was asked may have been carried out.
#[derive(Clone, Debug)]
pub(super) struct Gone(pub(super) String);

/// An open connection. It is closed when the last handle to it is dropped, whatever is under way on it.
///
/// An answer that nobody asked for ends it as well: the one before it may have been anyone's.
#[derive(Clone)]
pub(super) struct Wire(Arc<Handle>);

struct Handle(Arc<Traffic>);

impl Wire {
    /// Connects and logs in; `Err` says why not. Whoever calls bounds the wait.
    ///
    /// What comes over it is read on the runtime of this call. When that ends, the connection does.
    pub(super) async fn open(address: &Address) -> Result<Self, String> {
        let (reader, writer) = dial::dial(address).await.map_err(|error| error.to_string())?;
        let traffic = Arc::new(Traffic::new(writer));
        tokio::spawn(Driver::new(Arc::clone(&traffic), reader));
        let wire = Self(Arc::new(Handle(traffic)));
        wire.log_in(address).await?;
        Ok(wire)
    }

    /// Sends commands together and waits for as many answers. They may be errors of the server.
    ///
    /// # Cancel safety
    /// When the future is dropped the commands are carried out all the same, and their answers are read and forgotten.
    pub(super) async fn ask(&self, commands: &[&Cmd]) -> Result<Vec<Value>, Gone> {
        let traffic = &self.0.0;
        let answers = traffic.send(commands)?;
        answers.await.map_err(|_| traffic.gone())
    }

    /// Tells all who wait that no answer comes.
    pub(super) fn end(&self, reason: &str) {
        self.0.0.end(reason);
    }

    /// Whether nothing can be asked any more, because the server closed it for example.
    pub(super) fn has_ended(&self) -> bool {
        self.0.0.has_ended()
    }

    async fn log_in(&self, address: &Address) -> Result<(), String> {
        let login = address.login();
        let mut commands = Vec::new();
        if let Some(password) = login.password() {
            let mut auth = cmd("AUTH");
            auth.arg(login.username()).arg(password);
            commands.push(auth);
        }
        if login.db() != 0 {
            let mut select = cmd("SELECT");
            select.arg(login.db());
            commands.push(select);
        }
        let needed = commands.len();
        for (name, value) in [("LIB-NAME", env!("CARGO_PKG_NAME")), ("LIB-VER", env!("CARGO_PKG_VERSION"))] {
            let mut told = cmd("CLIENT");
            told.arg("SETINFO").arg(name).arg(value);
            commands.push(told);
        }
        let answers = self.ask(&commands.iter().collect::<Vec<_>>()).await.map_err(|Gone(reason)| reason)?;
        // Servers before Redis 7.2 do not know the last two.
        for answer in answers.into_iter().take(needed) {
            answer.extract_error().map_err(|error| format!("the login failed: {error}"))?;
        }
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.end("nobody needs the connection any more");
    }
}
