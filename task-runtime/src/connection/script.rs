//! The text of a script, called by its hash, and sent whole to a server that does not know it.

use redis::{Arg, Cmd, Value};
use sha1_smol::Sha1;

use super::{Fault, Malformed, Request, Servers};

/// Room for what the arguments of most calls take.
const FEW_BYTES: usize = 2 * 1024;
/// What stands around every script: it does not see the number of its call, the last argument, which comes back behind
/// its answer ([`Request::script`]). A table ends at the first `nil`.
const NUMBERED: &str = "\nend\nlocal number = table.remove(ARGV)\nreturn {script() or false, number}\n";

/// A script, ready to be sent.
pub(crate) struct Source {
    text: String,
    sha: String,
}

impl Source {
    /// `names` are the lines that give its keys their names.
    pub(crate) fn new(flags: &str, names: &str, libraries: &[&str], body: &str) -> Self {
        let mut text = format!("#!lua{flags}\nlocal function script()\n{names}");
        for part in libraries.iter().chain([&body]) {
            text.push_str(part);
        }
        text.push_str(NUMBERED);
        let sha = Sha1::from(&text).digest().to_string();
        Self { text, sha }
    }

    /// The beginning of a call; its keys come next.
    pub(crate) fn call(&self, keys: usize, room_for_args: usize) -> Cmd {
        let mut command = Cmd::with_capacity(room_for_args, FEW_BYTES);
        command.arg("EVALSHA").arg(&self.sha).arg(keys);
        command
    }

    /// What tells a server of it ahead of its calls.
    #[cfg(feature = "cli")]
    pub(crate) fn load(&self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(&self.text);
        command
    }

    /// Sends a call of it, and has `read` read what it answers. A server that does not know the script learns it on
    /// the way.
    pub(crate) async fn send<T>(
        &self,
        servers: &Servers,
        route: &str,
        request: &Request,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        match servers.send(route, request, &read).await {
            Err(Fault::NoScript) => servers.send(route, &Request::script(self.whole(request.command())), &read).await,
            answer => answer,
        }
    }

    /// The same call with the text in the place of its hash, and without its number.
    fn whole(&self, by_hash: &Cmd) -> Cmd {
        let args = by_hash.args_iter().len();
        let mut command = Cmd::with_capacity(args, self.text.len() + FEW_BYTES);
        command.arg("EVAL").arg(&self.text);
        for arg in by_hash.args_iter().take(args - 1).skip(2) {
            if let Arg::Simple(bytes) = arg {
                command.arg(bytes);
            }
        }
        command
    }
}
