//! Data comes through as it is, or is refused with the reason; none of it hurts a worker.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use task_runtime::Error;
use task_runtime::client::{JobError, JobStatus};
use task_runtime::job::{
    Envelope, Header, MAX_ARGS_BYTES, MAX_ARGS_DEPTH, MAX_ENVELOPE_BYTES, MAX_ERROR_BYTES, MAX_RESULT_BYTES,
};
use task_runtime::prelude::*;

use crate::fixture::*;

/// Something of every kind that serde knows, at its edges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Everything {
    signed: (i8, i16, i32, i64, i128),
    unsigned: (u8, u16, u32, u64, u128),
    floats: (f32, f64, Vec<f64>),
    truth: [bool; 2],
    letters: Vec<char>,
    text: String,
    bytes: Vec<u8>,
    empty: (Vec<String>, BTreeMap<String, u8>, (), Option<u8>),
    by_number: BTreeMap<i64, String>,
    by_text: HashMap<String, Option<f64>>,
    by_letter: BTreeMap<char, Unit>,
    by_choice: BTreeMap<Choice, u8>,
    set: BTreeSet<u64>,
    choices: Vec<Choice>,
    untyped: serde_json::Value,
    inner: Option<Box<Everything>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unit;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Choice {
    Unit,
    Newtype(u64),
    Tuple(i8, String),
    Struct { field: Option<String> },
}

/// Letters that a terminal, JSON, Lua or Redis may take for something else.
const LETTERS: [char; 13] =
    ['\0', '\x07', '\x1b', '\r', '\n', '"', '\\', '\x7f', '\u{85}', '\u{2028}', '\u{202e}', '\u{fffd}', '\u{10ffff}'];

impl Everything {
    fn new() -> Self {
        Self {
            signed: (i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN),
            unsigned: (u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX),
            floats: (f32::MIN_POSITIVE, -0.0, vec![0.1 + 0.2, 5e-324, f64::MAX, 1e23, 9_007_199_254_740_993.0]),
            truth: [true, false],
            letters: LETTERS.to_vec(),
            text: LETTERS.iter().collect(),
            bytes: (0..=255).collect(),
            empty: (vec![], BTreeMap::new(), (), None),
            by_number: BTreeMap::from([((1 << 53) + 1, "odd".into()), (i64::MIN, String::new())]),
            by_text: HashMap::from([(LETTERS.iter().collect(), Some(-0.0)), (String::new(), None)]),
            by_letter: LETTERS.iter().map(|letter| (*letter, Unit)).collect(),
            by_choice: BTreeMap::from([(Choice::Unit, 1)]),
            set: BTreeSet::from([0, (1 << 53) + 1, u64::MAX]),
            choices: vec![
                Choice::Unit,
                Choice::Newtype(u64::MAX),
                Choice::Tuple(-1, "[]".into()),
                Choice::Struct { field: None },
            ],
            untyped: serde_json::json!({"list": [], "map": {}, "n": (1_u64 << 53) + 1, "x": 1e300, "no": null}),
            inner: None,
        }
    }
}

#[task(queue = "q")]
pub(crate) async fn echo(everything: Everything) -> Result<Everything, String> {
    Ok(everything)
}

/// Returns so many bytes of JSON.
#[task(queue = "q", backoff = ["10ms"])]
pub(crate) async fn grow(bytes: usize, #[inject] notes: Data<Notes>) -> Result<String, String> {
    notes.add("grown");
    Ok("x".repeat(bytes - 2))
}

/// Returns what JSON cannot say.
#[task(queue = "q", backoff = ["10ms"])]
pub(crate) async fn divide(by: f64) -> Result<Option<f64>, String> {
    Ok(Some(1.0 / by))
}

pub(crate) async fn every_kind_of_value_comes_back_exactly(bench: Bench) {
    let worker = bench.start(bench.worker());
    let sent = Everything { inner: Some(Box::new(Everything::new())), ..Everything::new() };
    let job = Echo::new(sent.clone()).options().enqueue_on(&bench.client).await.unwrap();
    let read = job.result_within(BOUND).await.unwrap();
    assert_eq!(read, sent);
    // `==` takes 0.0 for -0.0.
    assert!(read.floats.1.is_sign_negative() && read.by_text.values().flatten().all(|x| x.is_sign_negative()));
    worker.stop().await;
}

pub(crate) async fn what_would_not_come_back_is_refused_when_it_is_enqueued(bench: Bench) {
    let refusal = async |everything: Everything| match Echo::new(everything).options().enqueue_on(&bench.client).await {
        Err(error @ (Error::Encode { .. } | Error::Limit { .. })) => error.to_string(),
        other => panic!("{other:?}"),
    };
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = refusal(Everything { floats: (0.0, float, vec![]), ..Everything::new() }).await;
        assert!(error.contains("task `echo`") && error.contains("cannot be read back"), "{error}");
        let by_text = HashMap::from([("x".to_owned(), Some(float))]);
        let error = refusal(Everything { by_text, ..Everything::new() }).await;
        assert!(error.contains("JSON has only finite numbers"), "{error}");
    }
    let error = refusal(Everything { by_choice: BTreeMap::from([(Choice::Newtype(1), 1)]), ..Everything::new() }).await;
    assert!(error.contains("key must be a string"), "{error}");
    let nested = (0..1_001).fold(serde_json::Value::Null, |inner, _| serde_json::Value::Array(vec![inner]));
    let error = refusal(Everything { untyped: nested, ..Everything::new() }).await;
    assert!(error.contains(&format!("1003 levels is over the limit of {MAX_ARGS_DEPTH} levels")), "{error}");
    assert_eq!(bench.client.counts(&queue()).await.unwrap().ready, 0);
}

pub(crate) async fn arguments_over_the_limit_are_refused_with_the_limit(bench: Bench) {
    // `{"text":""}` is what is around the text.
    const AROUND: usize = 11;
    let fits = Note::new("x".repeat(MAX_ARGS_BYTES - AROUND)).options().enqueue_on(&bench.client).await.unwrap();
    for bytes in [MAX_ARGS_BYTES - AROUND + 1, 1 << 20, 64 << 20] {
        let error = Note::new("x".repeat(bytes)).options().enqueue_on(&bench.client).await.unwrap_err().to_string();
        let expected = format!("{} bytes is over the limit of {MAX_ARGS_BYTES} bytes; store the data", bytes + AROUND);
        assert!(error.contains(&expected), "{error}");
    }
    assert_eq!(bench.client.counts(&queue()).await.unwrap().ready, 1);
    let worker = bench.start(bench.worker());
    fits.result_within(BOUND).await.unwrap();
    worker.stop().await;
}

pub(crate) async fn a_result_that_cannot_be_kept_is_dead_at_once_with_the_reason(bench: Bench) {
    let worker = bench.start(bench.worker());
    let fits = Grow::new(MAX_RESULT_BYTES).options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(fits.result_within(BOUND).await.unwrap().len(), MAX_RESULT_BYTES - 2);
    for bytes in [MAX_RESULT_BYTES + 1, 64 << 20] {
        let job = Grow::new(bytes).options().enqueue_on(&bench.client).await.unwrap();
        let error = job.result_within(BOUND).await.unwrap_err();
        let expected = format!("{bytes} bytes is over the limit of {MAX_RESULT_BYTES} bytes; store it elsewhere");
        assert!(matches!(&error, JobError::Failed { message, attempts: 1 } if message.contains(&expected)), "{error}");
    }
    // To do it all again would end the same.
    assert_eq!(bench.notes.all().len(), 3);
    let job = Divide::new(0.0).options().enqueue_on(&bench.client).await.unwrap();
    let error = job.result_within(BOUND).await.unwrap_err().to_string();
    assert!(error.contains("after 1 attempt: the result cannot be encoded"), "{error}");
    worker.stop().await;
}

/// Fails with so many bytes of text.
#[task(queue = "q", max_attempts = 1)]
pub(crate) async fn fail_at_length(bytes: usize) -> Result<(), String> {
    Err("x".repeat(bytes))
}

pub(crate) async fn a_long_error_is_kept_cut_between_characters(bench: Bench) {
    let worker = bench.start(bench.worker());
    let exact = format!("a{}", "ü".repeat(MAX_ERROR_BYTES / 2 - 1));
    for (text, cut) in [(exact.clone(), false), (format!("{exact}üü"), true)] {
        let job = Fail::new(text.clone()).options().max_attempts(1).enqueue_on(&bench.client).await.unwrap();
        let Err(JobError::Failed { message, .. }) = job.result_within(BOUND).await else { panic!("it fails") };
        assert_eq!(message != text, cut);
        let kept = message.strip_suffix(" … (cut)").unwrap_or(&message);
        assert!(text.starts_with(kept) && message.len() <= MAX_ERROR_BYTES && message.len() > MAX_ERROR_BYTES - 4);
    }
    for (bytes, cut) in [(MAX_ERROR_BYTES, false), (MAX_ERROR_BYTES + 1, true), (64 << 20, true)] {
        let job = FailAtLength::new(bytes).options().enqueue_on(&bench.client).await.unwrap();
        let Err(JobError::Failed { message, .. }) = job.result_within(BOUND).await else { panic!("it fails") };
        assert_eq!((message.len(), message.ends_with(" … (cut)")), (MAX_ERROR_BYTES, cut));
    }
    worker.stop().await;
}

pub(crate) async fn an_error_of_any_text_is_told_as_it_is(bench: Bench) {
    let worker = bench.start(bench.worker());
    let text: String = LETTERS.iter().chain(&['x']).collect();
    let job = Fail::new(text.clone()).options().enqueue_on(&bench.client).await.unwrap();
    let error = job.result_within(BOUND).await.unwrap_err();
    assert!(matches!(&error, JobError::Failed { message, .. } if *message == text), "{error:?}");
    worker.stop().await;
}

pub(crate) async fn too_long_arguments_of_another_program_are_dead_and_stop_nobody(bench: Bench) {
    let worker = bench.start(bench.worker());
    for (n, bytes) in [MAX_ENVELOPE_BYTES, 1 << 20, 8 << 20].into_iter().enumerate() {
        let args = format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - 11)).into_bytes();
        let envelope = Envelope { header: Header::new("note"), args }.encode();
        let job = bench.enqueue_bytes(&format!("long-{n}"), &envelope).await;
        let dead = bench.status_is(&job, "dead", |status| matches!(status, JobStatus::Dead { .. })).await;
        let JobStatus::Dead { error, attempts: 1 } = dead else { panic!("{dead:?}") };
        assert!(error.contains(&format!("more than {MAX_ENVELOPE_BYTES} bytes")), "{error}");
    }
    let job = Add::new(40_u64, 2_u64).options().enqueue_on(&bench.client).await.unwrap();
    assert_eq!(job.result_within(BOUND).await.unwrap(), 42);
    assert!(bench.notes.all().is_empty());
    worker.stop().await;
}

pub(crate) async fn arguments_that_are_no_text_are_dead_and_stop_nobody(bench: Bench) {
    let worker = bench.start(bench.worker());
    let hostile: [&[u8]; 5] =
        [b"{\"text\":\"\xff\xfe\"}", b"{\"text\":\"\xed\xa0\x80\"}", b"\0", b"", b"{\"text\":\"\x1b[31m\"}"];
    for (n, args) in hostile.into_iter().enumerate() {
        let envelope = [b"{\"v\":1,\"task\":\"note\"}\n", args].concat();
        let job = bench.enqueue_bytes(&format!("hostile-{n}"), &envelope).await;
        let dead = bench.status_is(&job, "dead", |status| matches!(status, JobStatus::Dead { .. })).await;
        assert!(
            matches!(&dead, JobStatus::Dead { error, .. } if error.contains("cannot read its arguments")),
            "{dead:?}"
        );
    }
    worker.stop().await;
}
