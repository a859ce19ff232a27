//! The `#[task]` attribute of `task-runtime`.
//!
//! Use it from there: `task_runtime::task`. This crate knows the runtime only as paths that it writes.

mod args;
mod signature;

mod attributes;
mod backoff;
mod durations;
mod errors;
mod names;
mod parameter;
mod type_text;

mod expand;
mod fallback;
mod model;

// Seen from outside only by the fuzz targets, which take this crate as an ordinary library.
#[cfg(any(test, fuzzing))]
pub mod fuzzing;

use proc_macro2::TokenStream;

use crate::args::Args;
use crate::errors::Errors;
use crate::model::Task;
use crate::signature::Function;

/// Makes a task of a function: a job type with `new`, `options` and `enqueue`, and a registration for workers.
///
/// ```ignore
/// /// Sends one e-mail.
/// #[task(queue = "mail", timeout = 30)]
/// async fn send_email(to: &str, subject: String, #[inject] db: &Data<Db>) -> anyhow::Result<usize> {
///     ..
/// }
///
/// let handle = SendEmail::new("a@b.c", "Hi").enqueue().await?;
/// let letters: usize = handle.result().await?;
/// ```
///
/// # The function
///
/// It stays as it is and can be called as before. Its name in camel case is the job type, with the function's
/// visibility, docs and `#[cfg]`.
///
/// * Each parameter becomes a field of the job: `T` as it is, `&str` as `String`, `&[T]` as `Vec<T>`, `&T` as `T`. Its
///   type must be `Serialize` and `DeserializeOwned`; a doc comment on it moves to the field.
/// * A parameter marked `#[inject]`, taken as `T` or `&T`, is not part of the job: the worker provides it.
/// * It returns nothing or a `Result<T, E>`; `T` must be `Serialize` and `DeserializeOwned`, `E` must convert into
///   `Box<dyn Error + Send + Sync>`.
/// * It is an `async fn`, or a plain `fn` with the option `blocking`.
/// * It has no `self` and no generic parameters.
///
/// # Options
///
/// A duration is a number of seconds (`30`, `1.5`) or a text with units (`"500ms"`, `"30s"`, `"1h30m"`, `"1d"`).
///
/// | option | meaning |
/// |---|---|
/// | `name = "emails.send"` | the name in stored jobs; that of the function if absent. Up to 64 of `A-Z a-z 0-9 _ . : -` |
/// | `aliases = ["old_name"]` | names under which jobs may still be stored |
/// | `queue = "mail"` | the queue; `default` if absent. Up to 64 of `A-Z a-z 0-9 _ . -` |
/// | `timeout = "30s"` | how long one attempt may take, from 1 ms to 30 days |
/// | `max_attempts = 5` | how often the task is tried, from 1 to 1000 |
/// | `max_crashes = 3` | how many crashes of a worker the job may be part of, from 1 to 100 |
/// | `backoff = constant("5s")` | the same delay before each new attempt |
/// | `backoff = linear("5s", cap = "5m")` | a delay that grows by its first value, up to the cap |
/// | `backoff = exponential("1s", cap = "10m")` | a delay that doubles, up to the cap |
/// | `backoff = [1, "5s", "1m"]` | these delays, of which the last one repeats |
/// | `priority = 7` | from 0 to 9; 9 goes first |
/// | `result_ttl = "1h"` | how long the result is kept, up to 30 days |
/// | `blocking` | the function is a plain `fn` and blocks a thread of its own |
/// | `job = SendEmailJob` | the name of the job type |
/// | `derive(Clone, Debug)` | further derives for the job type |
/// | `crate = my::path` | where the runtime is, if another crate re-exports it |
///
/// The three forms of `backoff` also take `jitter = true` or `false`; only `exponential` has it unless told otherwise.
/// A cap is 10 minutes unless given, and a delay is at most 7 days.
#[cfg(not(fuzzing))]
#[proc_macro_attribute]
pub fn task(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    write(options.into(), item.into()).into()
}

/// Parse, check, write. Whatever is wrong, the function itself is always there.
fn write(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(options, &mut errors);
    let function = errors.collect(Function::parse(item.clone()));
    let task = function.as_ref().and_then(|function| Task::check(&args, function, &mut errors));
    let generated = match (&task, &function) {
        // Only with the right path to the runtime does anything else make sense.
        _ if args.runtime_is_unknown => TokenStream::new(),
        (Some(task), _) => expand::expand(task),
        (None, Some(function)) => fallback::expand(&args, function),
        (None, None) => TokenStream::new(),
    };
    let mut output = signature::as_written(item);
    output.extend(errors.into_compile_errors());
    output.extend(generated);
    output
}

#[cfg(test)]
mod tests;
mod values;
