//! What a function returns decides what is kept: the `Ok` of a result, and any other value as it is.

use std::convert::Infallible;
use std::marker::PhantomData;

use futures_util::FutureExt;
use futures_util::future::Map;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::errors::{Errors, Forgotten, NoErrors};
use super::function::Call;
use super::making;

/// The type that a function returns. Its own methods are for results; those of [`PlainReturn`] are for what is none,
/// which the compiler takes when there are no others.
pub struct Returned<R>(PhantomData<fn() -> R>);

impl<R> Returned<R> {
    /// For the type that is named.
    pub const TYPE: Self = Self(PhantomData);
}

impl<T, E> Returned<Result<T, E>> {
    /// The value of a call, which `make` makes when there is none; with `anew` it makes it in any case.
    ///
    /// # Errors
    /// The error of `make`, as it is, or one that it had a while ago.
    pub async fn run<M, F>(self, call: Call, errors: impl Errors<E>, anew: bool, make: M) -> Result<T, E>
    where
        M: FnOnce() -> F + Send,
        F: Future<Output = Result<T, E>> + Send,
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
        E: Send,
    {
        making::run(call, make, errors, anew).await
    }

    /// The same for a function that may be called while the caller goes on.
    ///
    /// # Errors
    /// As those of [`run`](Self::run).
    pub async fn run_in_background<M, F, K>(self, call: Call, errors: K, anew: bool, make: M) -> Result<T, E>
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
        E: Send + 'static,
        K: Errors<E> + 'static,
    {
        making::run_in_background(call, make, errors, anew).await
    }
}

/// The same for what is no result.
pub trait PlainReturn<T>: Sized {
    /// The value of a call, which `make` makes when there is none; with `anew` it makes it in any case.
    fn run<M, F>(self, call: Call, errors: impl NoErrors, anew: bool, make: M) -> impl Future<Output = T> + Send
    where
        M: FnOnce() -> F + Send,
        F: Future<Output = T> + Send,
        T: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The same for a function that may be called while the caller goes on.
    fn run_in_background<M, F>(
        self,
        call: Call,
        errors: impl NoErrors,
        anew: bool,
        make: M,
    ) -> impl Future<Output = T> + Send
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = T> + Send + 'static,
        T: Serialize + DeserializeOwned + Send + Sync + 'static;
}

impl<T> PlainReturn<T> for Returned<T> {
    async fn run<M, F>(self, call: Call, _: impl NoErrors, anew: bool, make: M) -> T
    where
        M: FnOnce() -> F + Send,
        F: Future<Output = T> + Send,
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let Ok(value) = making::run(call, infallible(make), Forgotten, anew).await;
        value
    }

    async fn run_in_background<M, F>(self, call: Call, _: impl NoErrors, anew: bool, make: M) -> T
    where
        M: FnOnce() -> F + Send + 'static,
        F: Future<Output = T> + Send + 'static,
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let Ok(value) = making::run_in_background(call, infallible(make), Forgotten, anew).await;
        value
    }
}

type Infallibly<T, F> = Map<F, fn(T) -> Result<T, Infallible>>;

/// What makes a value, as something that could fail and does not.
fn infallible<T, M, F>(make: M) -> impl FnOnce() -> Infallibly<T, F> + Send
where
    M: FnOnce() -> F + Send,
    F: Future<Output = T> + Send,
{
    || make().map(Ok)
}
