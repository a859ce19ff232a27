//! The attributes `#[task]` and `#[cached]` of `task-runtime`.
//!
//! Use them from there: `task_runtime::task`, `task_runtime::cached`. This crate knows the runtime only as paths that it writes.

mod args;
mod signature;

mod attributes;
mod backoff;
mod durations;
mod errors;
mod names;
mod options;
mod parameter;
mod type_text;
mod values;

mod expand;
mod fallback;
mod model;

mod cached;

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

/// Keeps what an async function returns in a cache, so that it is called once for each key and time to live.
///
/// ```ignore
/// /// What the front page says of a user.
/// #[cached(ttl = 60, by = "user_id", tags = "user:{user_id}")]
/// async fn summary(user_id: u64, db: &Db) -> Result<Summary, DbError> {
///     ..
/// }
///
/// let page = summary(7, &db).await?; // from the cache, if it is there
///
/// let anew = summary::uncached(7, &db).await?; // the function as written, past the cache
/// let anew = summary::refresh(7, &db).await?; // the same, and its value is stored
/// summary::invalidate(7).await?; // the next call makes the value anew
/// let key = summary::key(7)?; // of the entry in the cache
/// ```
///
/// # The function
///
/// It keeps its name, signature, visibility and docs. A type of the same name, which has no values, holds the four
/// functions above; one `use` brings both in. `key` and `invalidate` take the parameters of the key only.
///
/// * It is a free `async fn` without generic parameters, and its future is `Send`.
/// * It returns a `Result<T, E>`, of which `Ok` is kept, or any other `T`, of which every value is: `None`, too. `T` must
///   be `Serialize` and `DeserializeOwned`, `Send` and `Sync`. `E` may be anything that is `Send`.
/// * Each parameter of the key must be `Serialize`; the others may be anything, `&mut T` too.
///
/// # Options
///
/// A duration is a number of seconds (`30`, `1.5`) or a text with units (`"500ms"`, `"30s"`, `"1h30m"`, `"1d"`), from 1 ms
/// to 10 years.
///
/// | option | meaning |
/// |---|---|
/// | `ttl = 60` | how long a value is kept, or `"forever"`; as long as the cache keeps values if absent |
/// | `by = "user_id"` | the parameter of which the key is made, or several: `["a", "b"]`; all if absent. With `[]`, all calls share one value |
/// | `name = "users.summary"` | the name in keys; the path of the function if absent. Up to 64 of `A-Z a-z 0-9 _ . : -` |
/// | `version = 2` | a part of the key: change it when the type or its meaning changes; 1 if absent |
/// | `tags = ["users", "user:{user_id}"]` | tags by which values are invalidated together, 16 at most; in braces, parameters of the key that are `Display` |
/// | `stale = "10m"` | how long after its `ttl` a value is still given, while one call makes it anew in the background |
/// | `early = true` | whether values are made anew in the background before their end, by chance; or how eagerly, where 1 is usual |
/// | `cache_errors = "5s"` | how long an `Err` is kept; not at all if absent. `E` must be `Serialize` and `DeserializeOwned`, `Send` and `Sync` |
/// | `cache = "pages"` | the name of the cache; the default cache if absent |
/// | `crate = my::path` | where the runtime is, if another crate re-exports it |
///
/// With `stale` or `early` the function may run when its caller is gone, so it owns its arguments: no parameter is a
/// reference, unless it is `&'static`, and all are `Send`.
///
/// # The key
///
/// It is the name, `@` and the version unless that is 1, `:` and the JSON of the parameters of the key:
/// `app::summary:[7]`. Of one with more than 200 bytes, the SHA-256 is taken. No two lists of arguments share a key, also
/// where JSON writes `null` for both. Equal maps with another order, as of two `HashMap`s, have different keys: a
/// `BTreeMap` has none of that.
///
/// A function whose name is that of another one has no key; give one of them another `name`. Two of the same name in
/// different blocks of one function are such.
///
/// # What holds
///
/// * **One call.** Of all who ask for a value that is not there, in all processes, one calls the function; the others wait
///   for its value, as with `Cache::remember`.
/// * **Errors stay as they are.** Who called the function gets its own error. Who waited for a call that failed calls the
///   function, once and for itself.
/// * **A cache is never a reason to fail.** Without one of this name, and when it fails, is away, or an argument or a value
///   cannot be written, the function is called and its value returned. The log says so, once a minute for each function.
///   With `OnOutage::Fail` a call waits for the deadline of the cache first; `OnOutage::Miss` is better here.
/// * **What is read is what JSON keeps**, or MessagePack, if the cache is set to that: a `Some(None)` comes back as `None`.
///   An entry that cannot be read as `T` is made anew.
///
/// # Cancel safety
///
/// When the future of the caller who makes the value is dropped, so is that of the function, and another one who waits
/// calls it.
#[cfg(not(fuzzing))]
#[proc_macro_attribute]
pub fn cached(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    cached::write(options.into(), item.into()).into()
}

/// Parse, check, write. Whatever is wrong, the function itself is always there.
fn write(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(options, &mut errors);
    let function = errors.collect(Function::parse(item.clone(), "#[task]", "a task"));
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
