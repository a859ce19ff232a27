//! Making the value of a call: once for all who wait for it, and without the cache when that cannot be used.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::cache::Cache;
use super::super::error::CacheError;
use super::super::remember::{Remember, RememberError};
use super::errors::Errors;
use super::function::Call;

/// A value that is stored, and that the one who made it keeps until it is: it is given also when it cannot be stored.
struct Shared<T>(Arc<T>);

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        T::serialize(&self.0, serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self(Arc::new(value)))
    }
}

/// What became of the one who asks.
enum Turn<M, T, E> {
    /// It has not called the function.
    Waiting(M),
    /// It has, and knows no more.
    Called,
    /// The function gave this.
    Made(Arc<T>),
    /// The function failed, here or, where errors are kept, a while ago.
    Failed(E),
}

/// No value was made. The error stays with the one who called the function, so that it need not be cloned.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the function failed")]
struct NotMade;

/// One call, as far as it may have to make its value.
struct Making<M, T, E, K> {
    cache: Cache,
    key: String,
    call: Call,
    errors: K,
    /// Whether the value is made in any case.
    anew: bool,
    turn: Mutex<Turn<M, T, E>>,
}

/// The value of a call. Who finds none calls the function, and others who look for it meanwhile wait. The one who calls
/// gets its own error; who waited then calls the function too. With `anew` no value is looked for.
pub(super) async fn run<T, E, M, F>(call: Call, make: M, errors: impl Errors<E>, anew: bool) -> Result<T, E>
where
    M: FnOnce() -> F + Send,
    F: Future<Output = Result<T, E>> + Send,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    E: Send,
{
    let making = match Making::new(call, make, errors, anew) {
        Ok(making) => making,
        Err(make) => return make().await,
    };
    let fill = Arc::clone(&making);
    let answer = making.set_up(making.cache.remember(&making.key, || async move { fill.fill().await })).await;
    making.end(answer).await
}

/// The same for a function that owns its arguments: it is called in the background while the value is stale.
pub(super) async fn run_in_background<T, E, M, F, K>(call: Call, make: M, errors: K, anew: bool) -> Result<T, E>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    E: Send + 'static,
    K: Errors<E> + 'static,
{
    let making = match Making::new(call, make, errors, anew) {
        Ok(making) => making,
        Err(make) => return make().await,
    };
    let fill = Arc::clone(&making);
    let function = making.call.function;
    let mut remember = making.set_up(making.cache.remember(&making.key, || async move { fill.fill().await }));
    if let Some(stale) = function.stale {
        remember = remember.stale(stale);
    }
    if let Some(eagerness) = function.early {
        remember = remember.early(eagerness);
    }
    let answer = remember.await;
    making.end(answer).await
}

impl<M, T, E, K> Making<M, T, E, K>
where
    K: Errors<E>,
{
    /// Gives `make` back when there is no cache for it.
    fn new(call: Call, make: M, errors: K, anew: bool) -> Result<Arc<Self>, M> {
        match call.place() {
            Ok((cache, key)) => {
                Ok(Arc::new(Self { cache, key, call, errors, anew, turn: Mutex::new(Turn::Waiting(make)) }))
            }
            Err(error) => {
                call.function.warn(&error);
                Err(make)
            }
        }
    }

    fn set_up<'a, N>(&self, mut remember: Remember<'a, N>) -> Remember<'a, N> {
        if let Some(ttl) = self.call.function.ttl {
            remember = remember.ttl(ttl);
        }
        if self.anew {
            remember = remember.anew();
        }
        remember.tags(self.call.tags.iter().cloned())
    }

    /// Calls the function, unless its error is kept.
    async fn fill<F>(&self) -> Result<Shared<T>, NotMade>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        if !self.anew
            && let Some(error) = self.errors.find(&self.cache, &self.key).await
        {
            *self.turn() = Turn::Failed(error);
            return Err(NotMade);
        }
        let Turn::Waiting(make) = self.take() else { return Err(NotMade) };
        match make().await {
            Ok(value) => {
                if self.anew {
                    self.errors.forget(&self.cache, &self.key, &self.call).await;
                }
                let value = Arc::new(value);
                *self.turn() = Turn::Made(Arc::clone(&value));
                Ok(Shared(value))
            }
            Err(error) => {
                let error = self.errors.keep(&self.cache, &self.key, &self.call, error).await;
                *self.turn() = Turn::Failed(error);
                Err(NotMade)
            }
        }
    }

    /// What the caller gets.
    async fn end<F>(&self, answer: Result<Shared<T>, RememberError<NotMade>>) -> Result<T, E>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let missing = match answer {
            Ok(Shared(value)) => {
                // What is made in the background is another one.
                let mut turn = self.turn();
                if matches!(&*turn, Turn::Made(made) if Arc::ptr_eq(made, &value)) {
                    *turn = Turn::Called;
                }
                return Ok(alone(value));
            }
            Err(RememberError::Fill(_)) => None,
            Err(RememberError::Cache(error)) => Some(error),
        };
        if let Some(error) = &missing {
            self.call.function.warn(error);
        }
        match self.take() {
            Turn::Made(value) => Ok(alone(value)),
            Turn::Failed(error) => Err(error),
            Turn::Waiting(make) => match self.kept(missing.as_ref()).await {
                Some(error) => Err(error),
                None => make().await,
            },
            Turn::Called => unreachable!("who called the function left what came of it"),
        }
    }

    /// The error of who was waited for.
    async fn kept(&self, missing: Option<&CacheError>) -> Option<E> {
        match missing {
            None => self.errors.find(&self.cache, &self.key).await,
            Some(_) => None,
        }
    }

    fn take(&self) -> Turn<M, T, E> {
        std::mem::replace(&mut self.turn(), Turn::Called)
    }

    fn turn(&self) -> MutexGuard<'_, Turn<M, T, E>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn alone<T>(value: Arc<T>) -> T {
    Arc::into_inner(value).expect("the cache keeps bytes, and the turn has let go of it")
}
