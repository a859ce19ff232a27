//! A function whose values are kept: what its attribute says, and the calls of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::super::cache::Cache;
use super::super::error::CacheError;
use super::super::named::{DEFAULT_CACHE, cache};
use super::super::ttl::Ttl;
use super::key::Arguments;

/// How long nothing more is said of a function that is called without its cache.
const QUIET: Duration = Duration::from_secs(60);

/// When this process began to look at the clock.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What `#[cached]` says of a function.
pub struct Function {
    path: fn() -> &'static str,
    name: Option<&'static str>,
    version: u32,
    cache: &'static str,
    pub(super) ttl: Option<Ttl>,
    pub(super) stale: Option<Duration>,
    pub(super) early: Option<f64>,
    pub(super) errors: Option<Duration>,
    /// Its name in keys, or who has that name already.
    known: OnceLock<Result<String, CacheError>>,
    /// Until when nothing more is said, in milliseconds since the start.
    quiet_until: AtomicU64,
}

impl Function {
    /// A function with the defaults; `path` tells where it is.
    pub const fn new(path: fn() -> &'static str) -> Self {
        Self {
            path,
            name: None,
            version: 1,
            cache: DEFAULT_CACHE,
            ttl: None,
            stale: None,
            early: None,
            errors: None,
            known: OnceLock::new(),
            quiet_until: AtomicU64::new(0),
        }
    }

    /// Its name in keys, instead of its path.
    #[must_use]
    pub const fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// The version of its values.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The cache, instead of the default one.
    #[must_use]
    pub const fn cache(mut self, cache: &'static str) -> Self {
        self.cache = cache;
        self
    }

    /// How long its values are kept, instead of as long as the cache keeps values.
    #[must_use]
    pub const fn ttl(mut self, ttl: Ttl) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// How long after that they are given while one is made anew.
    #[must_use]
    pub const fn stale(mut self, stale: Duration) -> Self {
        self.stale = Some(stale);
        self
    }

    /// How eagerly they are made anew before their end.
    #[must_use]
    pub const fn early(mut self, eagerness: f64) -> Self {
        self.early = Some(eagerness);
        self
    }

    /// How long its errors are kept.
    #[must_use]
    pub const fn errors(mut self, errors: Duration) -> Self {
        self.errors = Some(errors);
        self
    }

    /// A call with these arguments, whose value has these tags.
    pub fn call(&'static self, arguments: Arguments, tags: Vec<String>) -> Call {
        let key = self.known().and_then(|name| arguments.key(name, self.version));
        Call { function: self, key, tags }
    }

    /// Its name in keys, if no other function of this program has it.
    fn known(&'static self) -> Result<&'static str, CacheError> {
        let known = self.known.get_or_init(|| {
            // In a future, the path has a part of which no two compilers need to think alike.
            let name = self.name.map_or_else(|| (self.path)().replace("::{{closure}}", ""), str::to_owned);
            if registered(&name, self) { Ok(name) } else { Err(is_taken(&name, (self.path)())) }
        });
        known.as_deref().map_err(CacheError::clone)
    }

    /// Says that it is called without its cache, unless that was said just now.
    pub(super) fn warn(&self, error: &CacheError) {
        let now = u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX);
        let quiet_until = self.quiet_until.load(Ordering::Relaxed);
        let next = now + QUIET.as_millis() as u64;
        let exchanged = self.quiet_until.compare_exchange(quiet_until, next, Ordering::Relaxed, Ordering::Relaxed);
        if now >= quiet_until && exchanged.is_ok() {
            let (function, cache) = ((self.path)(), self.cache);
            tracing::warn!(function, cache, %error, "a cached function is called without its cache");
        }
    }
}

/// Whether a name is that of this function and of no other. Functions of the same name would give each other's values.
fn registered(name: &str, function: &'static Function) -> bool {
    static NAMES: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(Mutex::default);
    let address = std::ptr::from_ref(function).addr();
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    *names.entry(name.to_owned()).or_insert(address) == address
}

fn is_taken(name: &str, path: &str) -> CacheError {
    let fault = format!("is the name of another function, too; give `{path}` a name with `#[cached(name = \"..\")]`");
    CacheError::Name { what: "cached function", name: name.to_owned(), fault }
}

/// One call of a function, as far as the cache knows it.
pub struct Call {
    pub(super) function: &'static Function,
    key: Result<String, CacheError>,
    pub(super) tags: Vec<String>,
}

impl Call {
    /// The key of its value.
    ///
    /// # Errors
    /// [`CacheError::Encode`] when an argument cannot be written as JSON, and [`CacheError::Name`] when another function
    /// has the name of this one.
    pub fn key(self) -> Result<String, CacheError> {
        self.key
    }

    /// Removes its value, and its error, and says whether there was one.
    ///
    /// # Errors
    /// As those of [`key`](Self::key) and of [`Cache::delete`], and [`CacheError::NoCache`].
    pub async fn invalidate(self) -> Result<bool, CacheError> {
        let (cache, key) = self.place()?;
        match self.function.errors {
            None => cache.delete(&key).await,
            Some(_) => Ok(cache.delete_many([&key, &error_key(&key)]).await? > 0),
        }
    }

    /// Where its value is kept.
    pub(super) fn place(&self) -> Result<(Cache, String), CacheError> {
        let key = self.key.clone()?;
        Ok((cache(self.function.cache)?, key))
    }
}

/// The key of the error of a call. No value is kept there, because JSON does not end like that.
pub(super) fn error_key(key: &str) -> String {
    format!("{key}!error")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_functions_cannot_have_one_name() {
        static FIRST: Function = Function::new(|| "app::first").name("two_functions");
        static SECOND: Function = Function::new(|| "app::second").name("two_functions");
        for _ in 0..2 {
            assert_eq!(FIRST.call(Arguments::new(), vec![]).key().unwrap(), "two_functions:[]");
            let error = SECOND.call(Arguments::new(), vec![]).key().unwrap_err().to_string();
            assert!(
                error.contains("`two_functions` is the name of another function, too; give `app::second`"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_name_in_keys_is_the_path_of_the_function() {
        static PLAIN: Function = Function::new(|| "app::pages::summary").version(3);
        static INNER: Function = Function::new(|| "app::outer::{{closure}}::inner");
        assert_eq!(PLAIN.call(Arguments::new().with(&7), vec![]).key().unwrap(), "app::pages::summary@3:[7]");
        assert_eq!(INNER.call(Arguments::new(), vec![]).key().unwrap(), "app::outer::inner:[]");
    }
}
