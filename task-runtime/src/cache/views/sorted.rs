//! Members with scores, in their order.

use std::borrow::Borrow;
use std::marker::PhantomData;
use std::ops::RangeBounds;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::score::{ScoreIf, bounds, places, score_text};
use super::{View, checked_count};
use crate::cache::error::CacheError;
use crate::cache::raw::Reply;
use crate::cache::ttl::Ttl;

/// Members with scores under one key of a cache, from the lowest to the highest; from
/// [`Cache::sorted`](crate::cache::Cache::sorted).
///
/// Members are stored as JSON text, and are the same if their text is: a type that can be written in several ways, one
/// with a `HashMap` in it for example, is not for it. Those with the same score are in the order of the bytes of that
/// text. A score is a number of 64 bits, which may be infinite; NaN is refused, and -0 is 0. A rank is a place in the
/// order, from 0 on.
///
/// Each call that adds, removes or pops, even one that finds nothing to change, lets the whole sorted set live for its
/// time to live from then on, in the same step. One without members is no key. `delete`, `ttl`, `expire` and the like of
/// the [`Cache`](crate::cache::Cache) do what they do with any key.
///
/// A call takes 10,000 members at most. It is atomic for up to 1,000; for more it is several commands, and when it fails
/// some of them may have been carried out.
///
/// ```
/// # async fn run(cache: &task_runtime::cache::Cache) -> Result<(), task_runtime::cache::CacheError> {
/// use task_runtime::cache::ScoreIf;
///
/// let scores = cache.sorted::<String>("scores");
/// scores.add("ada", 120.0).await?;
/// scores.add_many([("bob", 80.0), ("eve", 95.5)]).await?;
/// scores.add_if(ScoreIf::Greater, "bob", 99.0).await?;
/// scores.incr("eve", 10.0).await?;
///
/// let best: Vec<(String, f64)> = scores.rev_range(..3).await?;
/// let place = scores.rev_rank("ada").await?;
/// let over_100 = scores.range_by_score(100.0.., None).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Of every method: [`CacheError::WrongKind`] when no sorted set is under the key, [`CacheError::Argument`] for NaN, for
/// too many members, one that is too long or a time to live that is not allowed, [`CacheError::Encode`] and
/// [`CacheError::Decode`] for what cannot be written or read, and those of every call of a cache. An outage that is a miss
/// gives `None`, `false`, 0 or nothing.
///
/// # Cancel safety
/// When the future of a call is dropped, what was asked may still happen.
pub struct Sorted<'a, M> {
    pub(super) view: View<'a>,
    members: PhantomData<fn() -> M>,
}

impl<'a, M> Sorted<'a, M> {
    pub(super) fn new(view: View<'a>) -> Self {
        Self { view, members: PhantomData }
    }

    /// For how long it is kept after each call that changes it; as the cache was told, if absent.
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.view.ttl = ttl.into();
        self
    }

    /// Gives a member a score, and says whether it is new.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn add<Q>(&self, member: &Q, score: f64) -> Result<bool, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        Ok(self.add_many([(member, score)]).await? > 0)
    }

    /// Gives members their scores, and says how many of them are new.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn add_many<'q, Q>(&self, scores: impl IntoIterator<Item = (&'q Q, f64)>) -> Result<u64, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        self.view.change_all("ZADD", &[], self.scored(scores)?).await
    }

    /// Gives a member a score on a condition, and says whether it is new or its score changed.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn add_if<Q>(&self, condition: ScoreIf, member: &Q, score: f64) -> Result<bool, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        Ok(self.add_many_if(condition, [(member, score)]).await? > 0)
    }

    /// Gives members their scores, each on a condition, and says how many of them are new or changed.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn add_many_if<'q, Q>(
        &self,
        condition: ScoreIf,
        scores: impl IntoIterator<Item = (&'q Q, f64)>,
    ) -> Result<u64, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        self.view.change_all("ZADD", &[condition.option(), "CH"], self.scored(scores)?).await
    }

    /// Adds to the score of a member, which begins at 0, and gives the sum. What is below 0 is taken away.
    ///
    /// # Errors
    /// Those of the type; also [`CacheError::Argument`] when one infinity is added to the other.
    pub async fn incr<Q>(&self, member: &Q, by: f64) -> Result<f64, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let reply = self.view.change("ZINCRBY", vec![score_text(by)?, self.view.encode(member)?]).await?;
        Ok(self.score_of(&reply)?.unwrap_or_default())
    }

    /// The score of a member.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn score<Q>(&self, member: &Q) -> Result<Option<f64>, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        let reply = self.view.look("ZSCORE", vec![self.view.encode(member)?]).await?;
        self.score_of(&reply)
    }

    /// How many members are before this one; `None` when it is not there.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn rank<Q>(&self, member: &Q) -> Result<Option<u64>, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        self.rank_by("ZRANK", self.view.encode(member)?).await
    }

    /// How many members are behind this one; `None` when it is not there.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn rev_rank<Q>(&self, member: &Q) -> Result<Option<u64>, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized,
    {
        self.rank_by("ZREVRANK", self.view.encode(member)?).await
    }

    /// Members with their scores by rank, the lowest first: `..10` is the ten lowest.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn range(&self, ranks: impl RangeBounds<usize>) -> Result<Vec<(M, f64)>, CacheError>
    where
        M: DeserializeOwned,
    {
        self.range_by(places(&ranks), &[]).await
    }

    /// Members with their scores by rank from the other end, the highest first: `..10` is the ten highest.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn rev_range(&self, ranks: impl RangeBounds<usize>) -> Result<Vec<(M, f64)>, CacheError>
    where
        M: DeserializeOwned,
    {
        self.range_by(places(&ranks), &["REV"]).await
    }

    /// Members whose score is in a range, the lowest first, and no more than `limit` of them: `1.0..=2.0`, `100.0..`, or
    /// `(Bound::Excluded(1.0), Bound::Unbounded)`.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn range_by_score(
        &self,
        scores: impl RangeBounds<f64>,
        limit: impl Into<Option<usize>>,
    ) -> Result<Vec<(M, f64)>, CacheError>
    where
        M: DeserializeOwned,
    {
        let (bounds, limit) = (bounds(&scores)?, limit.into());
        match limit.map(|most| i64::try_from(most).unwrap_or(i64::MAX).to_string()) {
            Some(most) => self.range_by(Some(bounds), &["BYSCORE", "LIMIT", "0", &most]).await,
            None => self.range_by(Some(bounds), &["BYSCORE"]).await,
        }
    }

    /// How many members have a score in a range.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn count(&self, scores: impl RangeBounds<f64>) -> Result<u64, CacheError> {
        let bounds = bounds(&scores)?;
        let reply = self.view.look("ZCOUNT", bounds.into()).await?;
        self.view.count(reply)
    }

    /// How many members there are.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn len(&self) -> Result<u64, CacheError> {
        let reply = self.view.look("ZCARD", Vec::new()).await?;
        self.view.count(reply)
    }

    /// Whether there are no members, so that there is no key.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn is_empty(&self) -> Result<bool, CacheError> {
        Ok(self.len().await? == 0)
    }

    /// Removes members, and says how many of them were there.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn remove<'q, Q>(&self, members: impl IntoIterator<Item = &'q Q>) -> Result<u64, CacheError>
    where
        M: Borrow<Q>,
        Q: Serialize + ?Sized + 'q,
    {
        self.view.change_all("ZREM", &[], self.view.encode_each(members)?).await
    }

    /// Removes the members whose score is in a range, and says how many there were. It is as much work as that.
    ///
    /// # Errors
    /// Those of the type.
    pub async fn remove_by_score(&self, scores: impl RangeBounds<f64>) -> Result<u64, CacheError> {
        let bounds = bounds(&scores)?;
        let reply = self.view.change("ZREMRANGEBYSCORE", bounds.into()).await?;
        self.view.count(reply)
    }

    /// Removes up to `count` members, the lowest first, and gives them. Of those who do so at the same time, one gets
    /// each.
    ///
    /// # Errors
    /// Those of the type. Members that cannot be read are gone then, too.
    pub async fn pop_min(&self, count: usize) -> Result<Vec<(M, f64)>, CacheError>
    where
        M: DeserializeOwned,
    {
        self.pop("ZPOPMIN", count).await
    }

    /// Removes up to `count` members, the highest first, and gives them. Of those who do so at the same time, one gets
    /// each.
    ///
    /// # Errors
    /// Those of the type. Members that cannot be read are gone then, too.
    pub async fn pop_max(&self, count: usize) -> Result<Vec<(M, f64)>, CacheError>
    where
        M: DeserializeOwned,
    {
        self.pop("ZPOPMAX", count).await
    }

    async fn pop(&self, name: &str, count: usize) -> Result<Vec<(M, f64)>, CacheError>
    where
        M: DeserializeOwned,
    {
        checked_count(count)?;
        let reply = self.view.change(name, vec![count.to_string().into_bytes()]).await?;
        self.pairs(reply)
    }

    async fn rank_by(&self, name: &str, member: Vec<u8>) -> Result<Option<u64>, CacheError> {
        match self.view.look(name, vec![member]).await? {
            Reply::Nil => Ok(None),
            reply => self.view.count(reply).map(Some),
        }
    }

    /// `None` is a range without places.
    async fn range_by(&self, range: Option<[Vec<u8>; 2]>, options: &[&str]) -> Result<Vec<(M, f64)>, CacheError>
    where
        M: DeserializeOwned,
    {
        let Some(range) = range else { return Ok(Vec::new()) };
        let options = options.iter().chain(&["WITHSCORES"]).map(|option| option.as_bytes().to_vec());
        let reply = self.view.look("ZRANGE", range.into_iter().chain(options).collect()).await?;
        self.pairs(reply)
    }

    fn pairs(&self, reply: Reply) -> Result<Vec<(M, f64)>, CacheError>
    where
        M: DeserializeOwned,
    {
        let pair = |[member, score]: [Vec<u8>; 2]| {
            let score = self.score_of(&Reply::Bytes(score))?.unwrap_or_default();
            Ok((self.view.decode(&member)?, score))
        };
        self.view.pairs(reply)?.into_iter().map(pair).collect()
    }

    fn score_of(&self, reply: &Reply) -> Result<Option<f64>, CacheError> {
        match reply {
            Reply::Nil => Ok(None),
            reply => {
                let score = reply.text().and_then(|text| text.parse().ok());
                score.map(Some).ok_or_else(|| self.view.unexpected(reply))
            }
        }
    }

    fn scored<'q, Q>(&self, scores: impl IntoIterator<Item = (&'q Q, f64)>) -> Result<Vec<[Vec<u8>; 2]>, CacheError>
    where
        Q: Serialize + ?Sized + 'q,
    {
        scores.into_iter().map(|(member, score)| Ok([score_text(score)?, self.view.encode(member)?])).collect()
    }
}
