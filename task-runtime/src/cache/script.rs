//! Scripts of what is kept beside the jobs, and how one is called.

use std::fmt::Write as _;

use redis::{Cmd, ToRedisArgs, Value};

use crate::connection::{Fault, Malformed, Request, Servers, Source};

/// Room for the arguments of a call with few fields.
const FEW_ARGS: usize = 32;

/// One `.lua` file, ready to be sent. Its header line `-- KEYS: session` gives its keys their
/// names; one that takes any number of keys has none there.
pub(super) fn source(flags: &str, body: &str, libraries: &[&str]) -> Source {
    let header = body.lines().find_map(|line| line.strip_prefix("-- KEYS:"));
    let mut names = String::new();
    for (at, name) in header.expect("every script declares its keys").split_whitespace().enumerate() {
        writeln!(names, "local {name} = KEYS[{}]", at + 1).expect("a String can always be written to");
    }
    Source::new(flags, &names, libraries, body)
}

/// Makes a static of each file in the folder `scripts` beside the file that says so, with its flags and what it uses of
/// the folder `scripts/lib`.
macro_rules! scripts {
    ($($name:ident $file:literal $flags:literal [$($library:literal)*];)*) => {
        $(pub(super) static $name: std::sync::LazyLock<$crate::connection::Source> = std::sync::LazyLock::new(|| {
            let libraries: &[&str] = &[$(include_str!(concat!("scripts/lib/", $library, ".lua"))),*];
            $crate::cache::script::source($flags, include_str!(concat!("scripts/", $file, ".lua")), libraries)
        });)*
    };
}
pub(super) use scripts;

/// One call that is being written; its keys share one slot.
pub(super) struct Call {
    script: &'static Source,
    /// A key of that slot, or its hash tag.
    route: String,
    command: Cmd,
}

impl Call {
    pub(super) fn new<const N: usize>(script: &'static Source, route: &str, keys: [&str; N]) -> Self {
        Self::for_many(script, route, keys.into_iter())
    }

    /// The same with any number of keys.
    pub(super) fn for_many<'k>(
        script: &'static Source,
        route: &str,
        keys: impl ExactSizeIterator<Item = &'k str>,
    ) -> Self {
        let mut command = script.call(keys.len(), FEW_ARGS);
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

    /// Sends it, and has `read` read what the script answers.
    pub(super) async fn send<T>(
        self,
        servers: &Servers,
        read: impl Fn(Value) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        self.script.send(servers, &self.route, &Request::script(self.command), read).await
    }
}
