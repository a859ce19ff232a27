//! What becomes of the errors of a function: nothing, unless its attribute asks for it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::cache::Cache;
use super::function::{Call, error_key};

/// What happens to errors of a type.
pub trait Errors<E>: Copy + Send + Sync {
    /// The error that is kept.
    fn find(self, cache: &Cache, key: &str) -> impl Future<Output = Option<E>> + Send;
    /// Keeps an error.
    fn keep(self, cache: &Cache, key: &str, call: &Call, error: E) -> impl Future<Output = E> + Send;
    /// Removes an error, because there is a value.
    fn forget(self, cache: &Cache, key: &str, call: &Call) -> impl Future<Output = ()> + Send;
}

/// Nobody learns of the errors of others.
#[derive(Clone, Copy)]
pub struct Forgotten;

/// They are kept for as long as the attribute says.
#[derive(Clone, Copy)]
pub struct Kept;

impl<E: Send> Errors<E> for Forgotten {
    async fn find(self, _: &Cache, _: &str) -> Option<E> {
        None
    }

    async fn keep(self, _: &Cache, _: &str, _: &Call, error: E) -> E {
        error
    }

    async fn forget(self, _: &Cache, _: &str, _: &Call) {}
}

impl<E: Serialize + DeserializeOwned + Send + Sync> Errors<E> for Kept {
    async fn find(self, cache: &Cache, key: &str) -> Option<E> {
        // One that cannot be read is of an earlier version of the program.
        cache.get(&error_key(key)).await.ok().flatten()
    }

    async fn keep(self, cache: &Cache, key: &str, call: &Call, error: E) -> E {
        if let Some(ttl) = call.function.errors
            && let Err(error) = cache.set(&error_key(key), &error).ttl(ttl).tags(call.tags.iter().cloned()).await
        {
            call.function.warn(&error);
        }
        error
    }

    async fn forget(self, cache: &Cache, key: &str, call: &Call) {
        if let Err(error) = cache.delete(&error_key(key)).await {
            call.function.warn(&error);
        }
    }
}

/// What can happen to the errors of a function that has none.
#[diagnostic::on_unimplemented(
    message = "`cache_errors` is for a function that returns a `Result`",
    label = "this is no `Result`, so there are no errors",
    note = "remove `cache_errors`: whatever this function returns is cached"
)]
pub trait NoErrors: Copy + Send + Sync + 'static {}

impl NoErrors for Forgotten {}
