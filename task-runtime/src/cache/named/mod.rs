//! Caches by their names, and those that a whole process uses.

#[cfg(feature = "cache-settings")]
mod fields;
#[cfg(feature = "cache-settings")]
mod server;
#[cfg(feature = "cache-settings")]
mod text;

#[cfg(all(test, feature = "cache-settings", feature = "redis"))]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use super::cache::Cache;
use super::error::CacheError;
use super::key::shown;

/// The name of the cache that is meant where none is named.
pub const DEFAULT_CACHE: &str = "default";
/// How alike two names are, of 1, when one may be meant by the other.
const SIMILAR: f64 = 0.8;
/// Most names that an error lists.
const LISTED: usize = 20;

static CACHES: RwLock<Caches> = RwLock::new(Caches::new());

/// Makes these the caches that [`cache`] and [`default_cache`] give, in the whole process. All that were set before are
/// replaced; who has one of them keeps it.
///
/// ```
/// use task_runtime::cache::{Cache, Caches, cache, set_caches};
///
/// set_caches(Caches::new().with("default", Cache::in_memory()).with("pages", Cache::in_memory()));
/// assert!(cache("pages").is_ok());
/// ```
pub fn set_caches(caches: Caches) {
    *CACHES.write().unwrap_or_else(PoisonError::into_inner) = caches;
}

/// Makes `cache` the one that [`default_cache`] gives, in the whole process. The last one that was set counts, and the
/// other caches stay.
///
/// ```
/// use task_runtime::cache::{Cache, default_cache, set_default_cache};
///
/// set_default_cache(Cache::in_memory());
/// assert!(default_cache().is_ok());
/// ```
pub fn set_default_cache(cache: Cache) {
    CACHES.write().unwrap_or_else(PoisonError::into_inner).list.insert(DEFAULT_CACHE.into(), cache);
}

/// The cache that was given to [`set_default_cache`], or the one named `default` of [`set_caches`].
///
/// # Errors
/// [`CacheError::NoCache`] when there is none: set one when the program starts.
pub fn default_cache() -> Result<Cache, CacheError> {
    cache(DEFAULT_CACHE)
}

/// The cache of this name among those that were given to [`set_caches`].
///
/// # Errors
/// [`CacheError::NoCache`] when there is none; it lists those that there are.
pub fn cache(name: &str) -> Result<Cache, CacheError> {
    CACHES.read().unwrap_or_else(PoisonError::into_inner).get(name)
}

/// Several caches, each with a name.
///
/// With the cargo feature `cache-settings` they come from a text or from the environment; see
/// [`from_toml`](Self::from_toml) and [`from_env`](Self::from_env).
///
/// ```
/// use task_runtime::cache::{Cache, Caches};
///
/// let caches = Caches::new().with("default", Cache::in_memory()).with("pages", Cache::in_memory());
/// let pages = caches.get("pages")?;
/// # Ok::<(), task_runtime::cache::CacheError>(())
/// ```
#[derive(Clone, Default)]
pub struct Caches {
    list: BTreeMap<String, Cache>,
}

impl Caches {
    /// No cache yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: BTreeMap::new() }
    }

    /// The same with one more; it takes the place of one that has its name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, cache: Cache) -> Self {
        self.list.insert(name.into(), cache);
        self
    }

    /// The cache of this name.
    ///
    /// # Errors
    /// [`CacheError::NoCache`] when there is none; it lists those that there are.
    pub fn get(&self, name: &str) -> Result<Cache, CacheError> {
        self.list.get(name).cloned().ok_or_else(|| CacheError::NoCache {
            name: shown(name),
            advice: match self.list.is_empty() {
                true => "none is set: call `set_caches` or `set_default_cache` when the program starts".into(),
                false => alternatives("there are", name, self.names()),
            },
        })
    }

    /// The cache that is named `default`.
    ///
    /// # Errors
    /// As those of [`get`](Self::get).
    pub fn default_cache(&self) -> Result<Cache, CacheError> {
        self.get(DEFAULT_CACHE)
    }

    /// Their names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.keys().map(String::as_str)
    }
}

/// What there is in the place of `name`, and the one that may be meant.
fn alternatives<'a>(start: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let mut text = format!("{start} `{}`", known[..known.len().min(LISTED)].join("`, `"));
    if known.len() > LISTED {
        text.push_str(&format!(" and {} more", known.len() - LISTED));
    }
    let alike = known.iter().map(|known| (strsim::jaro_winkler(known, name), known));
    let closest = alike.filter(|(alike, _)| *alike > SIMILAR).max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, closest)) = closest {
        text.push_str(&format!("; did you mean `{closest}`?"));
    }
    text
}

impl fmt::Debug for Caches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Caches").field(&self.list.keys()).finish()
    }
}

#[cfg(test)]
mod by_name {
    use super::*;

    #[test]
    fn a_name_that_does_not_exist_is_told_with_those_that_do() {
        let caches = Caches::new().with("pages", Cache::in_memory()).with("default", Cache::in_memory());
        assert_eq!(caches.names().collect::<Vec<_>>(), ["default", "pages"]);
        let told = |name| caches.get(name).unwrap_err().to_string();
        assert_eq!(told("page"), "there is no cache `page`; there are `default`, `pages`; did you mean `pages`?");
        assert_eq!(told("x"), "there is no cache `x`; there are `default`, `pages`");
        let none = Caches::new().default_cache().unwrap_err().to_string();
        assert!(none.ends_with("call `set_caches` or `set_default_cache` when the program starts"), "{none}");
        assert_eq!(format!("{caches:?}"), r#"Caches(["default", "pages"])"#);
    }

    #[test]
    fn the_list_of_names_in_an_error_is_bounded() {
        let names: Vec<String> = (100..130).map(|number| format!("n{number}")).collect();
        let text = alternatives("there are", "other", names.iter().map(String::as_str));
        assert!(text.ends_with("`n119` and 10 more"), "{text}");
    }

    #[tokio::test]
    async fn the_last_caches_that_were_set_count() {
        let of = |version| Cache::builder().version(version).build().unwrap();
        set_caches(Caches::new().with("default", of(1)).with("pages", of(2)));
        set_default_cache(of(3));
        assert_eq!((default_cache().unwrap().version(), cache("pages").unwrap().version()), (3, 2));
        set_caches(Caches::new().with("pages", of(4)));
        assert!(default_cache().is_err());
        assert_eq!(cache("pages").unwrap().version(), 4);
    }
}
