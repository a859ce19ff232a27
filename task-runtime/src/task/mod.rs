//! What a task is at compile time: a job type with a name, options and a typed result.

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

use std::error::Error as StdError;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, over};
use crate::job::{MAX_ARGS_BYTES, MAX_ARGS_DEPTH, TaskOptions};

/// An error of any kind, as a task may return it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// A job type: the arguments of one task, written by `#[task]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    label = "not a job type",
    note = "`#[task]` on a function `send_email` writes the job type `SendEmail`"
)]
pub trait Task: Serialize + DeserializeOwned + Send + 'static {
    /// The name under which jobs are stored.
    const NAME: &'static str;
    /// What the attribute says.
    const OPTIONS: TaskOptions;
    /// What a completed job gives.
    type Output: Serialize + DeserializeOwned + Send + 'static;
}

/// What a task may return: nothing, or a `Result`.
#[diagnostic::on_unimplemented(
    message = "a task returns nothing or a `Result`, not `{Self}`",
    label = "neither `()` nor a `Result` whose error converts into a boxed error",
    note = "for a value, return `Result<T, E>` where `T` is `Serialize + DeserializeOwned + Send` and `E` implements `std::error::Error` (or is `anyhow::Error`, `String` or `&str`)"
)]
pub trait TaskReturn {
    /// The value of a completed job.
    type Value: Serialize + DeserializeOwned + Send + 'static;

    /// The value, or the error with all its causes.
    ///
    /// # Errors
    /// What the task returned.
    fn into_result(self) -> Result<Self::Value, BoxError>;
}

impl TaskReturn for () {
    type Value = ();

    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<T, E> TaskReturn for Result<T, E>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: Into<BoxError>,
{
    type Value = T;

    fn into_result(self) -> Result<T, BoxError> {
        self.map_err(Into::into)
    }
}

/// The text of an error and of all that caused it, as `outer: inner: innermost`.
#[must_use]
pub fn error_chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // Some errors already say their cause; do not say it twice.
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// Encodes the arguments of a job, and proves that the worker will be able to read them.
///
/// # Errors
/// [`Error::Encode`] when serde cannot write them, or what it wrote does not give the job back
/// (a NaN is written as `null`, which is no number); [`Error::Limit`] when they are too long or
/// nested too deeply.
pub fn encode_args<T: Task>(job: &T) -> Result<Vec<u8>, Error> {
    let fault = |error: serde_json::Error| Error::Encode { task: T::NAME, fault: error.to_string() };
    let args = serde_json::to_vec(job).map_err(fault)?;
    check_limits(&args)?;
    serde_json::from_slice::<T>(&args).map_err(|error| Error::Encode {
        task: T::NAME,
        fault: format!("what was written cannot be read back: {error}"),
    })?;
    Ok(args)
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
    check_limits(args)
}

fn check_limits(args: &[u8]) -> Result<(), Error> {
    if args.len() > MAX_ARGS_BYTES {
        let advice = "store the data elsewhere and pass a reference to it";
        let actual = format!("{} bytes", args.len());
        return Err(over("encoded arguments", actual, format!("{MAX_ARGS_BYTES} bytes"), advice));
    }
    let depth = depth(args);
    if depth > MAX_ARGS_DEPTH {
        let advice = "flatten the arguments, or pass them as text";
        let actual = format!("{depth} levels");
        return Err(over("nesting of arguments", actual, format!("{MAX_ARGS_DEPTH} levels"), advice));
    }
    Ok(())
}

/// How deeply a valid JSON text is nested.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut text, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'{' | b'[' if !text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !text => depth -= 1,
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

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
    fn the_limits_hold_to_the_byte_and_to_the_level() {
        assert!(encode_args(&Any("x".repeat(MAX_ARGS_BYTES - 2))).is_ok());
        assert!(encode_args(&Any("x".repeat(MAX_ARGS_BYTES - 1))).is_err());
        assert!(encode_args(&Any(nest(MAX_ARGS_DEPTH))).is_ok());
        let error = encode_args(&Any(nest(MAX_ARGS_DEPTH + 1))).err().unwrap().to_string();
        assert!(error.contains("101 levels"), "{error}");
        assert!(encode_args(&Any("[[\\\"[".repeat(500))).is_ok());
    }

    #[test]
    fn an_error_is_told_with_its_causes_once() {
        let inner = std::io::Error::other("disk full");
        let error: BoxError = Box::new(Error::Encode { task: "t", fault: "no".into() });
        assert!(error_chain(&*error).ends_with(": no"));
        assert_eq!(error_chain(&inner), "disk full");
    }
}
