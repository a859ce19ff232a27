//! What others stored, or typed, neither steers a terminal nor hurts a worker.

use support::{redis, shared_redis};
use task_runtime::client::JobStatus;

use crate::tasks::{AddNumbers, FailRudely};
use crate::{BOUND, Bench, ended, program};

/// The title of a window, a colour, the direction of text, ends of lines, a backspace.
const RUDE: &str = "\u{1b}]0;t\u{7}\u{1b}[31m\u{202e}\u{2066}\u{2028}\u{85}\u{9b}31m\r\u{8}x";

/// What a terminal takes for anything but text.
fn steers(text: &str) -> bool {
    text.lines().any(|line| {
        line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    })
}

/// Puts jobs, records and names that no client of ours can write where the program `bench` looks.
fn store_rudely(bench: &Bench) {
    let mut connection = shared_redis().connection().unwrap();
    let key = |name: &str| format!("{{{}:sums}}:{name}", bench.namespace);
    let task = serde_json::to_string(RUDE).unwrap();
    let jobs = [
        (format!("unknown{RUDE}"), format!("{{\"v\":1,\"task\":{task}}}\n{{}}")),
        ("newer".into(), format!("{{\"v\":2,\"task\":{task}}}\n{{}}")),
        ("argument".into(), format!("{{\"v\":1,\"task\":\"add_numbers\"}}\n{{\"a\":{task}}}")),
        (format!("fails{RUDE}"), "{\"v\":1,\"task\":\"fail_rudely\"}\n{}".into()),
        ("broken".into(), format!("{{\"v\":1,\"task\":\"x\",\"backoff\":{task}}}\n{{}}")),
    ];
    for (id, envelope) in &jobs {
        redis::cmd("HSET").arg(key("jobs")).arg(id).arg(envelope).exec(&mut connection).unwrap();
        redis::cmd("RPUSH").arg(key("ready:5")).arg(id).exec(&mut connection).unwrap();
    }
    let queues = format!("{{{}}}:queues", bench.namespace);
    redis::cmd("SADD").arg(queues).arg("sums").arg(RUDE).arg(b"\xff\xfe").exec(&mut connection).unwrap();
}

#[tokio::test]
async fn what_others_stored_steers_no_terminal_and_stops_no_worker() {
    for form in ["text", "json"] {
        let bench = Bench::new().await;
        store_rudely(&bench);
        let good = AddNumbers::new(40_u64, 2_u64).options().enqueue_on(&bench.client).await.unwrap();
        let (code, text) = ended(bench.start(&["worker", "--burst", "--log", form, "sums"]));
        assert_eq!(code, 0, "{text}");
        // JSON is for programs, and says in its own way what it escapes: all of ASCII that steers.
        let ascii: String = text.chars().filter(|c| form == "text" || c.is_ascii()).collect();
        assert!(!steers(&ascii), "{text:?}");
        assert!(text.contains("fail_rudely") && text.contains("cannot read its arguments"), "{text}");
        assert_eq!(good.result_within(BOUND).await.unwrap(), 42);
        for list in [&["stats"][..], &["stats", "--json"]] {
            let (code, text) = ended(bench.start(list));
            assert_eq!(code, 0, "{text}");
            assert!(text.contains("sums") && !steers(&text), "{text:?}");
        }
    }
}

#[tokio::test]
async fn what_was_typed_steers_no_terminal_and_names_what_is_wrong() {
    let bench = Bench::new().await;
    let job = FailRudely::new().options().id("rude").enqueue_on(&bench.client).await.unwrap();
    assert_eq!(ended(bench.start(&["worker", "--burst", "sums"])).0, 0);
    assert!(matches!(job.status().await.unwrap(), JobStatus::Dead { .. }));
    let typed: [(&[&str], &str); 7] = [
        (&["enqueue", RUDE], "no task"),
        (&["enqueue", "fail_rudely", "--queue", RUDE], "queue name"),
        (&["enqueue", "fail_rudely", "--queue", "a{b}"], "queue name `a{b}` contains '{'"),
        (&["enqueue", "fail_rudely", "--id", RUDE], "job id"),
        (&["enqueue", "add_numbers", "--args", RUDE], "cannot read its arguments"),
        (&["worker", RUDE], "queue name"),
        (&["stats", "--namespace", RUDE], "namespace name"),
    ];
    for (arguments, part) in typed {
        let (code, text) = ended(bench.start(arguments));
        assert!((1..=3).contains(&code), "{code}: {text}");
        assert!(text.contains(part) && !steers(&text), "{text:?}");
    }
    let (code, text) = ended(program(&["stats"]).env("REDIS_URL", format!("redis://{RUDE}@{RUDE}/")).start());
    assert!(code == 2 && !steers(&text), "{text:?}");
}
