//! What keys there are, and what is like a pattern is deleted: always in bounded steps.

use std::fmt;
use std::str::FromStr;

use super::cache::Cache;
use super::error::{CacheError, argument};
use super::store::Page;

/// How many keys one step looks at.
const STEP: usize = 1_000;
/// Most keys that one page looks at.
pub const MAX_PAGE: usize = 10_000;

/// Some of the keys that are like a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPage {
    /// The keys; there may be none though more pages follow, and one that is there all the time is on one page at least.
    pub keys: Vec<String>,
    /// From where the next page goes on; `None` on the last one.
    pub next: Option<Cursor>,
}

/// A place among the keys. Written as text it can be handed to whoever asks for the next page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Cursor {
    type Err = std::convert::Infallible;

    /// Whether it is one is known when it is used.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// The keys that are like a pattern, page by page; see [`Cache::keys_like`].
#[derive(Debug)]
pub struct KeyPages<'a> {
    cache: &'a Cache,
    pattern: &'a str,
    next: Option<Option<Cursor>>,
}

impl KeyPages<'_> {
    /// The next keys; `None` when there are no more.
    ///
    /// # Errors
    /// As those of [`Cache::key_page`]; the same page can be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<String>>, CacheError> {
        let Some(from) = &self.next else { return Ok(None) };
        let page = self.cache.key_page(self.pattern, from.as_ref(), STEP).await?;
        self.next = page.next.map(Some);
        Ok(Some(page.keys))
    }
}

impl Cache {
    /// The keys of this version that are like a pattern, as the program knows them: `*` is any text, `?` any character,
    /// `[ab]` and `[a-c]` one of some, and `\` takes from the next one what it means.
    ///
    /// ```
    /// # async fn run(cache: &task_runtime::cache::Cache) -> Result<(), task_runtime::cache::CacheError> {
    /// let mut pages = cache.keys_like("user:*");
    /// while let Some(keys) = pages.next().await? {
    ///     println!("{keys:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn keys_like<'a>(&'a self, pattern: &'a str) -> KeyPages<'a> {
        KeyPages { cache: self, pattern, next: Some(None) }
    }

    /// One page of them: about `count` of all keys of the server are looked at, from the cursor of the page before on.
    ///
    /// A key may come twice. What is written or deleted meanwhile may come or not.
    ///
    /// # Errors
    /// [`CacheError::Argument`] for a count of 0 or over 10,000, and for a cursor that is none, or whose node of a
    /// cluster is gone. An outage that is a miss gives an empty last page.
    pub async fn key_page(&self, pattern: &str, from: Option<&Cursor>, count: usize) -> Result<KeyPage, CacheError> {
        if !(1..=MAX_PAGE).contains(&count) {
            return Err(argument("a page", format!("of {count} keys"), format!("1 to {MAX_PAGE}")));
        }
        let pattern = self.keys().like(pattern)?;
        let page = self.page(&pattern, from.map(|cursor| cursor.0.as_str()), count).await?;
        let plain = |key: &String| self.keys().plain(key).map(str::to_owned);
        Ok(KeyPage { keys: page.keys.iter().filter_map(plain).collect(), next: page.next.map(Cursor) })
    }

    /// Deletes everything of this version whose key is like a pattern, in steps of about a thousand keys, and says how
    /// much there was.
    ///
    /// # Errors
    /// Those of every call; what was deleted before stays deleted, and to go on is safe.
    pub async fn delete_pattern(&self, pattern: &str) -> Result<u64, CacheError> {
        self.delete_like(self.keys().like(pattern)?).await
    }

    /// Deletes everything that this cache keeps, of every version, in steps of about a thousand keys, and says how much
    /// there was. Nothing of another prefix is touched, and no lock that is held.
    ///
    /// # Errors
    /// As those of [`delete_pattern`](Self::delete_pattern).
    pub async fn clear(&self) -> Result<u64, CacheError> {
        self.delete_like(self.keys().all()).await
    }

    async fn delete_like(&self, pattern: String) -> Result<u64, CacheError> {
        let (mut deleted, mut from) = (0, None);
        loop {
            let page = self.page(&pattern, from.as_deref(), STEP).await?;
            if !page.keys.is_empty() {
                deleted += self.ask(0, |store| store.remove(&page.keys)).await?;
            }
            match page.next {
                Some(next) => from = Some(next),
                None => return Ok(deleted),
            }
        }
    }

    async fn page(&self, pattern: &str, from: Option<&str>, count: usize) -> Result<Page, CacheError> {
        self.ask(Page { keys: Vec::new(), next: None }, |store| store.scan(pattern, from, count)).await
    }
}
