//! What must hold of arguments, whatever bytes they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Task, check_encoded, encode_args};
use crate::error::Error;
use crate::job::{MAX_ARGS_BYTES, MAX_ARGS_DEPTH, TaskOptions};

/// Something of every kind that serde knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Everything {
    truth: bool,
    signed: (i8, i64, i128),
    unsigned: (u8, u64, u128),
    floats: (f32, f64),
    text: String,
    letter: char,
    nothing: (),
    maybe: Option<f64>,
    list: Vec<i64>,
    by_number: BTreeMap<u64, String>,
    by_letter: BTreeMap<char, bool>,
    choice: Choice,
    nest: Option<Box<Everything>>,
    any: serde_json::Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Choice {
    #[default]
    Unit,
    Newtype(u32),
    Tuple(i32, f32),
    Struct {
        field: Option<String>,
    },
}

impl Task for Everything {
    const NAME: &'static str = "everything";
    const OPTIONS: TaskOptions = TaskOptions::DEFAULT;
    type Output = ();
}

/// Arguments that can be read are encoded as what reads the same, or refused with the reason; text
/// from elsewhere passes only within the limits.
pub(crate) fn args(data: &[u8]) {
    let checked = check_encoded(Everything::NAME, data);
    assert!(checked.is_err() || data.len() <= MAX_ARGS_BYTES);
    assert!(checked.is_err() || deepest(data) <= MAX_ARGS_DEPTH);
    assert!(matches!(checked, Ok(()) | Err(Error::Encode { .. } | Error::Limit { .. })), "{checked:?}");
    let Ok(job) = serde_json::from_slice::<Everything>(data) else { return };
    match encode_args(&job) {
        Ok(args) => {
            let read: Everything = serde_json::from_slice(&args).expect("what was encoded can be read");
            // `PartialEq` of floats takes 0.0 for -0.0.
            assert_eq!(format!("{read:?}"), format!("{job:?}"));
        }
        Err(error) => assert!(matches!(error, Error::Encode { .. } | Error::Limit { .. }), "{error}"),
    }
}

/// The greatest depth of a JSON text, told another way than the limit does.
fn deepest(json: &[u8]) -> usize {
    fn depth(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
            serde_json::Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }
    serde_json::from_slice(json).map_or(0, |value| depth(&value))
}
