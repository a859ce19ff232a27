//! What others stored, or typed, neither steers a terminal nor hurts a worker.

use support::{redis, shared_redis};
use task_runtime::client::JobStatus;
use task_runtime::job::JobId;

use crate::tasks::{AddNumbers, FailRudely, Work};
use crate::{BOUND, Bench, ended, program, queue};

/// The end of a C string, the title of a window, a colour, the direction of text, ends of lines, a backspace.
const RUDE: &str = "\0\u{1b}]0;t\u{7}\u{1b}[31m\u{202e}\u{2066}\u{2028}\u{85}\u{9b}31m\r\u{8}x";

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
    // No argument of a program can hold the end of a C string.
    let rude = RUDE.trim_start_matches('\0');
    let job = FailRudely::new().options().id("rude").enqueue_on(&bench.client).await.unwrap();
    assert_eq!(ended(bench.start(&["worker", "--burst", "sums"])).0, 0);
    assert!(matches!(job.status().await.unwrap(), JobStatus::Dead { .. }));
    let typed: [(&[&str], &str); 7] = [
        (&["enqueue", rude], "no task"),
        (&["enqueue", "fail_rudely", "--queue", rude], "queue name"),
        (&["enqueue", "fail_rudely", "--queue", "a{b}"], "queue name `a{b}` contains '{'"),
        (&["enqueue", "fail_rudely", "--id", rude], "job id"),
        (&["enqueue", "add_numbers", "--args", rude], "cannot read its arguments"),
        (&["worker", rude], "queue name"),
        (&["stats", "--namespace", rude], "namespace name"),
    ];
    for (arguments, part) in typed {
        let (code, text) = ended(bench.start(arguments));
        assert!((1..=3).contains(&code), "{code}: {text}");
        assert!(text.contains(part) && !steers(&text), "{text:?}");
    }
    let (code, text) = ended(program(&["stats"]).env("REDIS_URL", format!("redis://{rude}@{rude}/")).start());
    assert!(code == 2 && !steers(&text), "{text:?}");
}

#[tokio::test]
async fn a_result_of_any_text_is_shown_without_steering_and_kept_as_it_is() {
    let bench = Bench::new().await;
    let worker = bench.worker(&["sums"]);
    let args = serde_json::json!({ "text": RUDE }).to_string();
    let (code, text) = ended(bench.start(&["enqueue", "repeat", "--id", "rude", "--wait", "30s", "--args", &args]));
    assert_eq!(code, 0, "{text}");
    assert!(text.ends_with("31m\\r\\bx\"") && !steers(&text), "{text:?}");
    let job = bench.client.handle::<String>(queue("sums"), JobId::new("rude").unwrap());
    assert_eq!(job.result_within(BOUND).await.unwrap(), RUDE);
    drop(worker);
}

/// Not text, and text that steers.
const NAMES: [&[u8]; 3] = [b"\xff\xfe", RUDE.as_bytes(), b""];

/// Puts what is no name, no number and no record wherever names, numbers and records are.
fn store_nonsense(bench: &Bench) {
    let mut connection = shared_redis().connection().unwrap();
    let key = |name: &str| format!("{{{}:sums}}:{name}", bench.namespace);
    let mut store = |command: &str, name: &str, values: &[&[u8]]| {
        redis::cmd(command).arg(key(name)).arg(values).exec(&mut connection).unwrap();
    };
    for name in NAMES {
        store("ZADD", "workers", &[b"1", name]);
        store("HSET", "parked_tasks", &[name, name]);
        store("ZADD", "parked", &[b"0", name]);
        store("ZADD", "dead", &[b"1", name]);
        store("HSET", "state", &[name, name]);
        store("HSET", "marks", &[name, name]);
        store("SADD", "asked", &[name]);
        store("SADD", "watched", &[name]);
        store("RPUSH", "wake", &[name]);
    }
    for (id, value) in [("ended", &b"=\xff\xfe"[..]), ("dead", b"\xff"), ("envelope", b"\xff\xfe\n\xff")] {
        store("HSET", "jobs", &[id.as_bytes(), value]);
        store("HSET", "state", &[id.as_bytes(), b"{\"error\":\"\xff\"}"]);
    }
    store("ZADD", "dead", &[b"90000000000000000", b"dead"]);
    store("RPUSH", "ready:5", &[b"envelope"]);
}

#[tokio::test]
async fn nonsense_that_others_stored_stops_neither_work_nor_recovery_nor_those_who_ask() {
    let bench = Bench::new().await;
    let mut gone = bench.worker(&["work", "sums", "--lease", "1s"]);
    store_nonsense(&bench);
    let good = AddNumbers::new(40_u64, 2_u64).options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(good.result_within(BOUND).await.unwrap(), 42);
    let held = Work::new(7_u64, 3_000_u64).options().queue("sums").enqueue_on(&bench.client).await.unwrap();
    gone.wait_for_line("begin 7", BOUND);
    assert_eq!(held.status().await.unwrap(), JobStatus::Running);
    gone.kill9();
    let worker = bench.worker(&["sums", "--lease", "1s"]);
    assert_eq!(held.result_within(BOUND).await.unwrap(), 7);
    let handle = |id: &str| bench.client.handle::<u64>(queue("sums"), JobId::new(id).unwrap());
    let unread = handle("ended").status().await.unwrap_err().to_string();
    assert!(unread.contains("the end record cannot be read"), "{unread}");
    let dead = JobStatus::Dead { attempts: 0, error: "no reason was kept".into() };
    assert_eq!(handle("dead").status().await.unwrap(), dead);
    assert!(matches!(handle("envelope").status().await.unwrap(), JobStatus::Dead { .. }));
    assert_eq!(ended(bench.start(&["stats"])).0, 0);
    let printed = [gone.lines(), worker.lines()].concat().join("\n");
    assert!(!steers(&printed), "{printed:?}");
    assert!(!printed.contains("the script"), "an answer was not understood: {printed}");
}
