//! Entries that are invalidated together.
//!
//! A tag has a random number, and an entry bears the numbers that its tags had before its value was made. To invalidate
//! a tag is to delete its number: no entry that bears it is valid any more, also one whose value was made before and is
//! written after.

use std::time::Duration;

use super::cache::Cache;
use super::entry::Entry;
use super::error::{CacheError, argument};
use super::store::{End, Ended, Left, Life};
use super::ttl::MAX_TTL;

/// Most tags of one entry.
pub const MAX_TAGS: usize = 16;
/// How much longer a tag is kept than the entry that needs it, in milliseconds: their clocks run at different times.
const TAG_OUTLIVES_MS: i64 = 60_000;

pub(super) fn checked_tags(mut tags: Vec<String>) -> Result<Vec<String>, CacheError> {
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MAX_TAGS {
        return Err(argument("an entry", format!("with {} tags", tags.len()), format!("{MAX_TAGS} at most")));
    }
    Ok(tags)
}

impl Cache {
    /// Makes everything that bears one of these tags a miss. One step for each tag, however many entries bear it; they
    /// stay where they are until their time is over.
    ///
    /// What is being made just now and will bear the tag is invalid too.
    ///
    /// # Errors
    /// Those of every call. An outage that is a miss invalidates nothing, and gives `false`.
    pub async fn invalidate_tags(&self, tags: impl IntoIterator<Item = impl AsRef<str>>) -> Result<bool, CacheError> {
        let keys: Vec<String> =
            tags.into_iter().map(|tag| self.keys().tag(tag.as_ref())).collect::<Result<_, CacheError>>()?;
        let removed = self.ask(None, |store| {
            let removed = store.remove(&keys);
            Box::pin(async move { removed.await.map(Some) })
        });
        Ok(removed.await?.is_some())
    }

    /// The numbers of tags for an entry with this life; `None` in an outage that is a miss.
    pub(super) async fn numbers(&self, tags: &[String], life: Life) -> Result<Option<Vec<(String, u64)>>, CacheError> {
        let life = match life {
            Life::Ms(ms) => Life::Ms(ms.saturating_add(TAG_OUTLIVES_MS)),
            Life::Forever => Life::Forever,
        };
        let number = async |tag: &String| {
            let (key, fresh) = (self.keys().tag(tag)?, fastrand::u64(1..));
            let number = self.ask(0, |store| store.tag(&key, fresh, life)).await?;
            Ok::<_, CacheError>((tag.clone(), number))
        };
        let numbers = futures_util::future::try_join_all(tags.iter().map(number)).await?;
        Ok((!numbers.iter().any(|(_, number)| *number == 0)).then_some(numbers))
    }

    /// Lets the tags of an entry that has another end live as long as it does.
    pub(super) async fn keep_tags(&self, ended: &Ended) -> Result<(), CacheError> {
        let end = match ended.left {
            Left::Missing => return Ok(()),
            // A server cannot add to an end that is out of all time.
            Left::Ms(ms) if u128::from(ms.unsigned_abs()) <= MAX_TTL.as_millis() => {
                End::InMsOrLater(ms + TAG_OUTLIVES_MS)
            }
            Left::Ms(_) | Left::Forever => End::Never,
        };
        let keys = ended.tags.iter().map(|tag| self.keys().tag(tag)).collect::<Result<Vec<_>, CacheError>>()?;
        // What has no number any more was invalidated, and stays so.
        let keep = async |key: &String| self.ask(None, |store| store.expire(key, end)).await;
        futures_util::future::try_join_all(keys.iter().map(keep)).await.map(drop)
    }

    /// Lets tags live as long as an entry that is stored now, if they were asked for long ago.
    pub(super) async fn renew_tags(&self, tags: &[String], life: Life, ago: Duration) -> Result<(), CacheError> {
        let in_time = i64::try_from(ago.as_millis()).is_ok_and(|ago| ago < TAG_OUTLIVES_MS / 2);
        match life {
            Life::Ms(ms) if !in_time => self.keep_tags(&Ended { left: Left::Ms(ms), tags: tags.to_vec() }).await,
            Life::Ms(_) | Life::Forever => Ok(()),
        }
    }

    /// The entry under a key, if its time is not over and no tag of it was invalidated.
    pub(super) async fn valid(&self, key: &str) -> Result<Option<Vec<u8>>, CacheError> {
        let mut bytes = self.ask(None, |store| store.get(key)).await?;
        if bytes.as_deref().and_then(Entry::head_of).is_some() {
            let mut entries = [bytes];
            self.keep_valid(&[key.to_owned()], &mut entries).await?;
            [bytes] = entries;
        }
        self.shared.counters.looked(usize::from(bytes.is_some()), usize::from(bytes.is_none()));
        Ok(bytes)
    }

    /// Drops those of some entries whose time is over, or of which a tag was invalidated.
    pub(super) async fn keep_valid(&self, keys: &[String], entries: &mut [Option<Vec<u8>>]) -> Result<(), CacheError> {
        for (key, slot) in keys.iter().zip(&mut *entries) {
            let Some(stale) = slot.as_deref().and_then(Entry::head_of).and_then(|head| head.stale) else { continue };
            let left = self.ask(Left::Missing, |store| store.left(key)).await?;
            if !stale.is_fresh(left) {
                *slot = None;
            }
        }
        self.keep_tagged(entries).await
    }

    /// Drops those of some entries of which a tag was invalidated.
    pub(super) async fn keep_tagged(&self, entries: &mut [Option<Vec<u8>>]) -> Result<(), CacheError> {
        let heads = entries.iter().flatten().filter_map(|entry| Entry::head_of(entry));
        let mut tags: Vec<_> = heads.flat_map(|head| head.tags).collect();
        if tags.is_empty() {
            return Ok(());
        }
        tags.sort_unstable();
        tags.dedup();
        let dead = self.dead(tags).await?;
        for slot in entries {
            let head = slot.as_deref().and_then(Entry::head_of);
            if head.is_some_and(|head| head.tags.iter().any(|tag| dead.contains(tag))) {
                *slot = None;
            }
        }
        Ok(())
    }

    /// Those of some tags whose number is another one by now.
    async fn dead(&self, tags: Vec<(String, u64)>) -> Result<Vec<(String, u64)>, CacheError> {
        let keys: Vec<String> = tags.iter().map(|(tag, _)| self.keys().tag(tag)).collect::<Result<_, CacheError>>()?;
        let now = self.ask(vec![None; keys.len()], |store| store.tags(&keys)).await?;
        Ok(tags.into_iter().zip(now).filter(|((_, then), now)| *now != Some(*then)).map(|(tag, _)| tag).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::time::advance;

    use super::*;
    use crate::cache::Ttl;

    const SHORT: Duration = Duration::from_secs(10);
    const HOUR: Duration = Duration::from_secs(3600);

    /// Every way to let a key live on, for an hour or for ever; says whether it is there.
    async fn lives_on(cache: &Cache, key: &str, way: usize) -> Option<bool> {
        let answer = match way {
            0 => cache.touch(key).await,
            1 => cache.expire(key, HOUR).await,
            // The clock of the wall stands still in a test.
            2 => cache.expire_at(key, SystemTime::now() + 10 * HOUR).await,
            3 => cache.persist(key).await,
            4 => cache.expire(key, Ttl::Forever).await,
            _ => return None,
        };
        Some(answer.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn what_lives_on_in_memory_is_valid_until_its_end() {
        let cache = Cache::builder().ttl(HOUR).build().unwrap();
        for way in 0.. {
            cache.set("it", &way).ttl(SHORT).tags(["t"]).await.unwrap();
            let Some(there) = lives_on(&cache, "it", way).await else { break };
            assert!(there, "way {way}");
            advance(HOUR - SHORT).await;
            assert_eq!(cache.get::<usize>("it").await.unwrap(), Some(way), "way {way}");
            cache.invalidate_tags(["t"]).await.unwrap();
            assert_eq!(lives_on(&cache, "it", way).await, Some(true), "it is there until its end");
            assert_eq!(cache.get::<usize>("it").await.unwrap(), None, "what was invalidated stays so: way {way}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_took_long_to_be_made_is_valid_until_its_end() {
        let cache = Cache::in_memory();
        let slow = async || {
            // In steps, so that it keeps the right to make the value.
            for _ in 0..HOUR.as_secs() / 2 {
                advance(Duration::from_secs(1)).await;
            }
            Ok::<_, String>(1)
        };
        assert_eq!(cache.remember("it", slow).ttl(HOUR).tags(["t"]).await.unwrap(), 1);
        advance(HOUR - SHORT).await;
        assert_eq!(cache.get::<u32>("it").await.unwrap(), Some(1));
        cache.invalidate_tags(["t"]).await.unwrap();
        assert_eq!(cache.get::<u32>("it").await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_tag_that_others_need_for_longer_is_left_to_them() {
        let cache = Cache::in_memory();
        cache.set("long", &1).ttl(HOUR).tags(["t"]).await.unwrap();
        cache.set("it", &1).ttl(HOUR).tags(["t"]).await.unwrap();
        assert!(cache.expire("it", SHORT).await.unwrap());
        advance(HOUR - SHORT).await;
        assert_eq!(cache.get::<u32>("long").await.unwrap(), Some(1));
    }
}
