//! The scripts: one file a move, its keys declared in its header.

use std::fmt::Write as _;
use std::sync::LazyLock;

use super::keys::Keys;
use crate::broker::Incarnation;
use crate::connection::Source;

/// Room for one key.
const KEY_BYTES: usize = 192;
const PRIORITIES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// One `.lua` file, ready to be sent.
///
/// The header line `-- KEYS: jobs state ready:*` is the one list of its keys: from it come both
/// the keys of a call and the names under which the script sees them. `ready:*` stands for the ten
/// lists (a table from 0 to 9), `running` for the set of one incarnation, `others:*`, always
/// last, for the sets of several (a table from 1 on).
pub(super) struct Script {
    pub(super) source: Source,
    /// Whether it changes nothing, which the server makes sure of.
    pub(super) looks: bool,
    keys: Vec<&'static str>,
}

impl Script {
    fn new(flags: &str, body: &'static str, libraries: &[&str]) -> Self {
        let keys = declared(body);
        let source = Source::new(flags, &bind(&keys), libraries, body);
        Self { source, looks: flags.contains("no-writes"), keys }
    }

    /// How many keys a call has that names `running` incarnations.
    pub(super) fn key_count(&self, running: usize) -> usize {
        let count = |name: &&str| match *name {
            "ready:*" => 10,
            "running" | "others:*" => running,
            _ => 1,
        };
        self.keys.iter().map(count).sum()
    }

    /// The keys of a call, in the order in which the script binds them.
    pub(super) fn for_each_key(&self, of: &Keys, running: &[Incarnation], mut each: impl FnMut(&str)) {
        let mut key = String::with_capacity(KEY_BYTES);
        let mut write = |parts: [&str; 2]| {
            key.clear();
            for part in [of.tag(), ":", parts[0], parts[1]] {
                key.push_str(part);
            }
            each(&key);
        };
        for name in &self.keys {
            match *name {
                "ready:*" => PRIORITIES.iter().for_each(|priority| write(["ready:", priority])),
                "running" | "others:*" => running.iter().for_each(|one| write(["running:", one.as_str()])),
                name => write([name, ""]),
            }
        }
    }
}

/// The keys that a script declares in its header.
fn declared(body: &'static str) -> Vec<&'static str> {
    let mut lines = body.lines().skip_while(|line| !line.starts_with("-- KEYS: "));
    let first = lines.next().expect("every script declares its keys");
    let mut keys: Vec<_> = first["-- KEYS: ".len()..].split_whitespace().collect();
    for line in lines.take_while(|line| line.starts_with("--       ")) {
        keys.extend(line[2..].split_whitespace());
    }
    keys
}

/// The lines that give the declared keys their names.
fn bind(keys: &[&str]) -> String {
    let (mut lines, mut at) = (String::new(), 1);
    for name in keys {
        let line = match *name {
            "ready:*" => {
                lines.push_str("local ready = {}\n");
                let line = format!("for p = 0, 9 do ready[p] = KEYS[{at} + p] end");
                at += 9;
                line
            }
            "others:*" => format!("local others = {{unpack(KEYS, {at})}}"),
            name => format!("local {name} = KEYS[{at}]"),
        };
        writeln!(lines, "{line}").expect("a String can always be written to");
        at += 1;
    }
    lines
}

macro_rules! library {
    ($name:literal) => {
        include_str!(concat!("scripts/lib/", $name, ".lua"))
    };
}

macro_rules! scripts {
    ($($(#[$when:meta])* $name:ident $file:literal $flags:literal [$($library:literal)*];)*) => {
        $($(#[$when])* pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            let body = include_str!(concat!("scripts/", $file, ".lua"));
            Script::new($flags, body, &[$(library!($library)),*])
        });)*

        /// Every script, to be loaded into a server ahead of its first use.
        #[cfg(test)]
        pub(super) fn all() -> Vec<&'static Script> {
            vec![$($(#[$when])* &$name),*]
        }
    };
}

// Whatever ends, moves or keeps alive what is there must work when the server is full; only
// `enqueue` is refused then.
scripts! {
    ENQUEUE "enqueue" "" ["clock" "record" "wake"];
    TURN "turn" " flags=allow-oom" ["clock" "record" "done" "wake" "promote" "finish" "settle"];
    BEGIN "begin" " flags=allow-oom" ["clock" "step"];
    ADOPT "adopt" " flags=allow-oom" ["clock" "record"];
    HEARTBEAT "heartbeat" " flags=allow-oom" ["clock"];
    LEAVE "leave" " flags=allow-oom" ["clock" "step" "record" "done" "wake" "finish" "settle"];
    PROMOTE "promote" " flags=allow-oom" ["clock" "wake" "promote"];
    WORKERS "workers" " flags=no-writes" ["clock"];
    CONDEMN "condemn" " flags=allow-oom" ["clock" "step" "record" "wake"];
    SETTLE_FOR "settle_for" " flags=allow-oom" ["clock" "record" "done" "wake" "finish" "settle"];
    CANCEL "cancel" " flags=allow-oom" ["clock" "record" "done" "finish" "incarnations"];
    STATUS "status" " flags=no-writes" ["clock" "record" "incarnations"];
    WATCH "watch" " flags=allow-oom" ["clock" "record"];
    PAUSE "pause" " flags=allow-oom" ["clock" "wake"];
    SWEEP "sweep" " flags=allow-oom" ["clock" "record" "done" "finish"];
    COUNTS "counts" " flags=no-writes" ["clock" "done"];
    FSCK_WORKER "fsck/worker" " flags=allow-oom" ["clock" "step"];
    FSCK_NAMES "fsck/names" " flags=no-writes" ["clock"];
    FSCK_RUNNING "fsck/running" " flags=allow-oom" ["clock" "record" "kind" "only_here"];
    FSCK_INDEX "fsck/index" " flags=allow-oom" ["clock" "record" "kind"];
    FSCK_LIST "fsck/list" " flags=allow-oom" ["clock" "record" "kind" "only_here" "take_out"];
    FSCK_BESIDE "fsck/beside" " flags=allow-oom" ["clock" "record" "kind"];
    FSCK_JOBS "fsck/jobs" " flags=no-writes" ["clock" "record"];
    FSCK_LOST "fsck/lost" " flags=no-writes" ["clock" "record" "incarnations" "kind" "free"];
    FSCK_PUT_BACK "fsck/put_back" " flags=allow-oom" ["clock" "record" "done" "wake" "finish" "incarnations" "kind" "free"];
    FSCK_UNMARK "fsck/unmark" " flags=allow-oom" ["clock" "record" "incarnations" "kind" "free"];
    FSCK_TWICE "fsck/twice" " flags=allow-oom" ["clock" "take_out"];
    FSCK_ENDS "fsck/ends" " flags=allow-oom" ["clock" "record" "done" "finish" "kind"];
    FSCK_REMEMBER "fsck/remember" " flags=allow-oom" ["clock" "record" "done" "finish" "kind"];
    FSCK_COUNT "fsck/count" " flags=allow-oom" ["clock" "record" "done" "finish" "kind"];
    #[cfg(feature = "cli")]
    FLOOR_PUSH "floor/push" "" [];
    #[cfg(feature = "cli")]
    FLOOR_TAKE "floor/take" "" [];
    #[cfg(feature = "cli")]
    FLOOR_FINISH "floor/finish" "" [];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Namespace, QueueName};

    #[test]
    fn every_key_of_every_script_carries_the_hash_tag_of_its_queue() {
        let keys = Keys::new(&Namespace::new("app").unwrap(), &QueueName::new("mail").unwrap());
        for script in all() {
            let mut count = 0;
            script.for_each_key(&keys, &[Incarnation::random()], |key| {
                assert!(key.starts_with("{app:mail}:"), "{key}");
                count += 1;
            });
            assert!(count > 0 && count == script.key_count(1), "{count} keys: {:?}", script.keys);
        }
    }
}
