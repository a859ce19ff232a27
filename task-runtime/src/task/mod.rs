//! What a task is at compile time: a job type with a name, options and a typed result.

mod encode;
mod lossless;

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

#[cfg(feature = "cli")]
pub(crate) use encode::check_encoded;
pub use encode::encode_args;
pub(crate) use encode::encode_result;

use std::error::Error as StdError;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::job::TaskOptions;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn an_error_is_told_with_its_causes_once() {
        let inner = std::io::Error::other("disk full");
        let error: BoxError = Box::new(Error::Encode { task: "t", fault: "no".into() });
        assert!(error_chain(&*error).ends_with(": no"));
        assert_eq!(error_chain(&inner), "disk full");
    }
}
