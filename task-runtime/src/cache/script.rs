//! Scripts of what is kept beside the jobs, and how one is called.

use std::fmt::Write as _;

use redis::{Arg, Cmd, ToRedisArgs, Value};
use sha1_smol::Sha1;

use crate::connection::{Fault, Malformed, Request, Servers};

/// Room for the arguments of a call with few fields.
const FEW_ARGS: usize = 32;
/// Room for their bytes.
const FEW_BYTES: usize = 1024;

/// What stands around every script: it does not see the number of its call, the last argument, which comes back behind
/// its answer (`connection/request.rs`).
const NUMBERED: &str = "\nend\nlocal number = table.remove(ARGV)\nreturn {script() or false, number}\n";

/// One `.lua` file, ready to be sent. Its header line `-- KEYS: session` gives its keys their
/// names; one that takes any number of keys has none there.
pub(super) struct Script {
    source: String,
    sha: String,
}

impl Script {
    pub(super) fn new(flags: &str, body: &'static str, libraries: &[&str]) -> Self {
        let header = body.lines().find_map(|line| line.strip_prefix("-- KEYS:"));
        let mut source = format!("#!lua{flags}\nlocal function script()\n");
        for (at, name) in header.expect("every script declares its keys").split_whitespace().enumerate() {
            writeln!(source, "local {name} = KEYS[{}]", at + 1).expect("a String can always be written to");
        }
        for part in libraries.iter().chain([&body]) {
            source.push_str(part);
        }
        source.push_str(NUMBERED);
        let sha = Sha1::from(&source).digest().to_string();
        Self { source, sha }
    }
}

/// Makes a static of each file in the folder `scripts` beside the file that says so, with its flags and what it uses of
/// the folder `scripts/lib`.
macro_rules! scripts {
    ($($name:ident $file:literal $flags:literal [$($library:literal)*];)*) => {
        $(pub(super) static $name: std::sync::LazyLock<$crate::cache::script::Script> = std::sync::LazyLock::new(|| {
            let libraries: &[&str] = &[$(include_str!(concat!("scripts/lib/", $library, ".lua"))),*];
            $crate::cache::script::Script::new($flags, include_str!(concat!("scripts/", $file, ".lua")), libraries)
        });)*
    };
}
pub(super) use scripts;

/// One call that is being written; its keys share one slot.
pub(super) struct Call {
    script: &'static Script,
    /// A key of that slot, or its hash tag.
    route: String,
    command: Cmd,
}

impl Call {
    pub(super) fn new<const N: usize>(script: &'static Script, route: &str, keys: [&str; N]) -> Self {
        Self::for_many(script, route, keys.into_iter())
    }

    /// The same with any number of keys.
    pub(super) fn for_many<'k>(
        script: &'static Script,
        route: &str,
        keys: impl ExactSizeIterator<Item = &'k str>,
    ) -> Self {
        let mut command = Cmd::with_capacity(FEW_ARGS, FEW_BYTES);
        command.arg("EVALSHA").arg(&script.sha).arg(keys.len());
        for key in keys {
            command.arg(key);
        }
        Self { script, route: route.to_owned(), command }
    }

    pub(super) fn arg(mut self, value: impl ToRedisArgs) -> Self {
        self.command.arg(value);
        self
    }

    /// What is there behind `=`, or '' for nothing.
    #[cfg(feature = "sessions")]
    pub(super) fn optional(self, value: Option<&[u8]>) -> Self {
        match value {
            Some(value) => self.arg([b"=", value].concat()),
            None => self.arg(""),
        }
    }

    /// Sends it, and has `read` read what the script answers. A script that the server does not know is loaded on the
    /// way.
    pub(super) async fn send<T>(
        self,
        servers: &Servers,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        let request = Request::script(self.command);
        match servers.send(&self.route, &request, &read).await {
            Err(Fault::NoScript) => {
                let request = Request::script(with_source(self.script, request.command()));
                servers.send(&self.route, &request, &read).await
            }
            answer => answer,
        }
    }
}

/// The same call with the source of the script in the place of its hash, and without its number.
fn with_source(script: &Script, by_digest: &Cmd) -> Cmd {
    let args = by_digest.args_iter().len();
    let mut command = Cmd::with_capacity(args, script.source.len() + FEW_BYTES);
    command.arg("EVAL").arg(&script.source);
    for arg in by_digest.args_iter().take(args - 1).skip(2) {
        if let Arg::Simple(bytes) = arg {
            command.arg(bytes);
        }
    }
    command
}
