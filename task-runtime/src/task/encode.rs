//! Arguments and results as JSON: what would not come back as it was is refused.

use memchr::memchr2;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Task;
use super::lossless::comes_back;
use crate::error::{Error, over};
use crate::job::{MAX_ARGS_BYTES, MAX_ARGS_DEPTH, MAX_RESULT_BYTES};
use crate::null::says_null;

/// What is limited, and what to do instead.
struct Limits {
    what: &'static str,
    bytes: usize,
    too_long: &'static str,
    nesting: &'static str,
    too_deep: &'static str,
}

const ARGS: Limits = Limits {
    what: "encoded arguments",
    bytes: MAX_ARGS_BYTES,
    too_long: "store the data elsewhere and pass a reference to it",
    nesting: "nesting of arguments",
    too_deep: "flatten the arguments, or pass them as text",
};

const RESULT: Limits = Limits {
    what: "encoded result",
    bytes: MAX_RESULT_BYTES,
    too_long: "store it elsewhere and return a reference to it",
    nesting: "nesting of the result",
    too_deep: "flatten it, or return it as text",
};

/// Encodes the arguments of a job, and proves that the worker will read them as they are.
///
/// # Errors
/// [`Error::Encode`] when serde cannot write them, or what it wrote does not give the job back
/// (a NaN is written as `null`, which is no number); [`Error::Limit`] when they are too long or
/// nested too deeply.
pub fn encode_args<T: Task>(job: &T) -> Result<Vec<u8>, Error> {
    let fault = |fault| Error::Encode { task: T::NAME, fault };
    let args = serde_json::to_vec(job).map_err(|error| fault(error.to_string()))?;
    check_limits(&args, &ARGS)?;
    let read = read_back(&args).map_err(fault)?;
    comes_back(job, &read, &args).map_err(fault)?;
    Ok(args)
}

/// Encodes what a task returned, or says why it cannot be kept.
pub(crate) fn encode_result<V: Serialize + DeserializeOwned>(value: &V) -> Result<Box<RawValue>, String> {
    let fault = |fault| format!("the result cannot be encoded: {fault}");
    let result = serde_json::value::to_raw_value(value).map_err(|error| fault(error.to_string()))?;
    let json = result.get().as_bytes();
    check_limits(json, &RESULT).map_err(|error| error.to_string())?;
    // Only a `null` can stand for something else; a caller that cannot read the rest is told so.
    if says_null(json) {
        let read = read_back(json).map_err(fault)?;
        comes_back(value, &read, json).map_err(fault)?;
    }
    Ok(result)
}

fn read_back<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| format!("what was written cannot be read back: {error}"))
}

/// Checks arguments that someone else has encoded, all but their types.
///
/// # Errors
/// [`Error::Encode`] when they are not JSON; [`Error::Limit`] when they are too long or nested too
/// deeply.
#[cfg(feature = "cli")]
pub(crate) fn check_encoded(task: &'static str, args: &[u8]) -> Result<(), Error> {
    serde_json::from_slice::<serde::de::IgnoredAny>(args)
        .map_err(|error| Error::Encode { task, fault: error.to_string() })?;
    check_limits(args, &ARGS)
}

fn check_limits(json: &[u8], limits: &Limits) -> Result<(), Error> {
    if json.len() > limits.bytes {
        let (actual, limit) = (format!("{} bytes", json.len()), format!("{} bytes", limits.bytes));
        return Err(over(limits.what, actual, limit, limits.too_long));
    }
    let depth = depth(json);
    if depth > MAX_ARGS_DEPTH {
        let (actual, limit) = (format!("{depth} levels"), format!("{MAX_ARGS_DEPTH} levels"));
        return Err(over(limits.nesting, actual, limit, limits.too_deep));
    }
    Ok(())
}

/// How deeply a valid JSON text is nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut rest) = (0_usize, 0, json);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' => rest = behind_text(rest),
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// What follows the end of a text that has begun.
fn behind_text(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' {
            return &rest[at + 1..];
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    &[]
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::job::TaskOptions;

    #[derive(Serialize, Deserialize)]
    struct Any<A>(A);

    impl<A: Serialize + DeserializeOwned + Send + 'static> Task for Any<A> {
        const NAME: &'static str = "any";
        const OPTIONS: TaskOptions = TaskOptions::DEFAULT;
        type Output = ();
    }

    #[derive(Serialize, Deserialize)]
    struct Nest(Vec<Nest>);

    fn nest(levels: usize) -> Nest {
        (1..levels).fold(Nest(vec![]), |inner, _| Nest(vec![inner]))
    }

    #[test]
    fn numbers_and_empty_lists_are_written_exactly() {
        let args = encode_args(&Any((u64::MAX, i128::MIN, -0.0_f64, Vec::<u8>::new()))).unwrap();
        let text = "[18446744073709551615,-170141183460469231731687303715884105728,-0.0,[]]";
        assert_eq!(String::from_utf8(args).unwrap(), text);
    }

    #[test]
    fn every_float_comes_back_to_the_last_bit() {
        for float in [1.797_693_134_862_315_7, 0.1 + 0.2, 1e23, f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0] {
            let args = encode_args(&Any(float)).unwrap();
            let Any(read): Any<f64> = serde_json::from_slice(&args).unwrap();
            assert_eq!(read.to_bits(), float.to_bits(), "{float:e}");
        }
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        let error = encode_args(&Any(f64::NAN)).err().unwrap().to_string();
        assert!(error.contains("task `any`") && error.contains("cannot be read back"), "{error}");
    }

    #[test]
    fn what_would_silently_come_back_as_nothing_is_refused() {
        for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = encode_args(&Any(Some(float))).err().unwrap().to_string();
            assert!(error.contains("JSON has only finite numbers"), "{error}");
            assert!(encode_result(&vec![Some(float)]).is_err());
            assert!(encode_result(&float).is_err());
        }
        let error = encode_args(&Any(Some(None::<u8>))).err().unwrap().to_string();
        assert!(error.contains("a `Some` comes back as `None`"), "{error}");
        assert!(encode_args(&Any((None::<f64>, Some(0.5), (), "null".to_owned()))).is_ok());
        assert_eq!(encode_result(&()).unwrap().get(), "null");
    }

    #[test]
    fn a_result_that_nobody_could_read_is_refused() {
        assert!(encode_result(&"x".repeat(MAX_RESULT_BYTES - 2)).is_ok());
        let error = encode_result(&"x".repeat(MAX_RESULT_BYTES - 1)).unwrap_err();
        assert!(error.contains("262145 bytes is over the limit of 262144 bytes; store it elsewhere"), "{error}");
        let error = encode_result(&nest(MAX_ARGS_DEPTH + 1)).unwrap_err();
        assert!(error.contains("nesting of the result of 101 levels"), "{error}");
    }

    #[test]
    fn the_limits_hold_to_the_byte_and_to_the_level() {
        assert!(encode_args(&Any("x".repeat(MAX_ARGS_BYTES - 2))).is_ok());
        assert!(encode_args(&Any("x".repeat(MAX_ARGS_BYTES - 1))).is_err());
        assert!(encode_args(&Any(nest(MAX_ARGS_DEPTH))).is_ok());
        let error = encode_args(&Any(nest(MAX_ARGS_DEPTH + 1))).err().unwrap().to_string();
        assert!(error.contains("101 levels"), "{error}");
        assert!(encode_args(&Any("[[\\\"[".repeat(500))).is_ok());
        assert_eq!(
            ["\"[\"", "[\"\\\\\",[]]", "[\"\\\"[[\",{\"[\":[0]}]"].map(|json| depth(json.as_bytes())),
            [0, 2, 3]
        );
    }
}
