//! Whatever value is sent comes back, by whichever way its job goes.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Serialize};
use task_runtime::client::JobError;
use task_runtime::prelude::*;

use crate::fixture::*;

/// Values that are sent in one test.
const VALUES: usize = 150;
/// From here on a float no longer tells two whole numbers apart.
const EXACT: u64 = 1 << 53;

/// Letters that a terminal, JSON, Lua or Redis may take for something else.
const ODD: [char; 22] = [
    '\0',
    '\x07',
    '\x1b',
    '\r',
    '\n',
    '"',
    '\\',
    '/',
    '\x7f',
    '{',
    '}',
    ':',
    '[',
    ']',
    '%',
    '=',
    '\u{85}',
    '\u{2028}',
    '\u{202e}',
    '\u{feff}',
    '\u{fffd}',
    '\u{10ffff}',
];

/// A value of any kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Any {
    Unit,
    Truth(bool),
    Unsigned(u64),
    Signed(i64),
    Large(i128, u128),
    Float(f64),
    Short(f32),
    Letter(char),
    Text(String),
    Bytes(Vec<u8>),
    Perhaps(Option<Box<Any>>),
    List(Vec<Any>),
    ByText(BTreeMap<String, Any>),
    ByNumber(BTreeMap<i128, Any>),
    Pair { first: Box<Any>, second: Box<Any> },
    Json(serde_json::Value),
}

/// What is done with a value.
#[derive(Clone, Copy, Debug)]
enum Way {
    AtOnce,
    /// By way of those that are scheduled.
    Delayed,
    /// By way of those that are tried again.
    Retried,
    /// To the end of one that is dead.
    Dead,
}

#[task(queue = "q", backoff = ["2ms"], max_attempts = 3)]
pub(crate) async fn mirror(value: Any, why: String, failures: u32, #[inject] ctx: Context) -> Result<Any, String> {
    if ctx.attempt() <= failures { Err(why) } else { Ok(value) }
}

fn text() -> BoxedStrategy<String> {
    let odd = vec(proptest::sample::select(&ODD[..]), 0..20).prop_map(|letters| letters.into_iter().collect());
    prop_oneof![any::<String>(), odd, Just(String::new()), Just("null".to_owned()), Just("x".repeat(300))].boxed()
}

fn unsigned() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), EXACT - 3..EXACT + 4, Just(u64::MAX), Just(1 << 63), Just(0)]
}

fn float() -> impl Strategy<Value = f64> {
    let bits = any::<u64>().prop_map(f64::from_bits).prop_filter("JSON has only finite numbers", |x| x.is_finite());
    prop_oneof![bits, Just(-0.0), Just(5e-324), Just(f64::MAX), unsigned().prop_map(|n| n as f64)]
}

fn leaf() -> impl Strategy<Value = Any> {
    let json = prop_oneof![
        unsigned().prop_map(|n| serde_json::json!({ "n": n, "list": [], "map": {}, "no": null })),
        float().prop_map(serde_json::Value::from),
        text().prop_map(|text| serde_json::json!([text, { text.clone(): [] }])),
    ];
    let short = any::<u32>().prop_map(f32::from_bits).prop_filter("JSON has only finite numbers", |x| x.is_finite());
    prop_oneof![
        Just(Any::Unit),
        any::<bool>().prop_map(Any::Truth),
        unsigned().prop_map(Any::Unsigned),
        unsigned().prop_map(|n| Any::Signed(n.cast_signed())),
        (any::<i128>(), any::<u128>()).prop_map(|(signed, unsigned)| Any::Large(signed, unsigned)),
        Just(Any::Large(i128::MIN, u128::MAX)),
        float().prop_map(Any::Float),
        short.prop_map(Any::Short),
        any::<char>().prop_map(Any::Letter),
        text().prop_map(Any::Text),
        vec(any::<u8>(), 0..40).prop_map(Any::Bytes),
        Just(Any::Perhaps(None)),
        Just(Any::List(Vec::new())),
        json.prop_map(Any::Json),
    ]
}

fn value() -> impl Strategy<Value = Any> {
    leaf().prop_recursive(12, 60, 5, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Any::List),
            btree_map(text(), inner.clone(), 0..4).prop_map(Any::ByText),
            btree_map(any::<i128>(), inner.clone(), 0..4).prop_map(Any::ByNumber),
            inner.clone().prop_map(|one| Any::Perhaps(Some(Box::new(one)))),
            pair.prop_map(|(first, second)| Any::Pair { first: Box::new(first), second: Box::new(second) }),
        ]
    })
}

pub(crate) async fn any_value_and_any_error_come_back_by_every_way(bench: Bench) {
    let way = prop_oneof![Just(Way::AtOnce), Just(Way::Delayed), Just(Way::Retried), Just(Way::Dead)];
    let (cases, bytes) = ((value(), text(), way), [7; 32]);
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(proptest::test_runner::Config::default(), random);
    let worker = bench.start(bench.worker());
    let mut sent = Vec::new();
    for _ in 0..VALUES {
        let (value, why, way) = cases.new_tree(&mut runner).expect("a value can be made").current();
        let failures = match way {
            Way::AtOnce | Way::Delayed => 0,
            Way::Retried => 1,
            Way::Dead => 3,
        };
        let job = Mirror::new(value.clone(), why.clone(), failures).options();
        let job = if matches!(way, Way::Delayed) { job.delay(Duration::from_millis(2)) } else { job };
        let job = job.enqueue_on(&bench.client).await.unwrap_or_else(|error| panic!("{value:?} is refused: {error}"));
        sent.push((job, value, why, way));
    }
    for (job, value, why, way) in sent {
        match (job.result_within(BOUND).await, way) {
            // Written out, because `==` takes 0.0 for -0.0.
            (Ok(read), Way::AtOnce | Way::Delayed | Way::Retried) => {
                assert_eq!(format!("{read:?}"), format!("{value:?}"))
            }
            (Err(JobError::Failed { message, attempts: 3 }), Way::Dead) => assert_eq!(message, why),
            (ended, way) => panic!("{way:?}: {value:?}, {why:?} ended with {ended:?}"),
        }
    }
    worker.stop().await;
}
