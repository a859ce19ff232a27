//! The right of one process to make a value.

use std::time::Duration;

use tokio::time::sleep;

use crate::cache::cache::Cache;
use crate::cache::error::CacheError;
use crate::cache::lock::new_token;

/// After how long another process makes a value, when the one that made it is gone.
const FILL_LEASE: Duration = Duration::from_secs(5);
/// How often that is moved on while the value is being made.
const RENEW_AFTER: Duration = Duration::from_millis(1_500);

/// The right to make a value, which ends by itself when the process is gone.
pub(super) struct Lease {
    cache: Cache,
    key: String,
    token: String,
    is_over: bool,
}

/// Waits for the value, and moves the lease on meanwhile.
pub(super) async fn renewing<T>(lease: Option<&Lease>, fill: impl Future<Output = T>) -> T {
    let mut fill = std::pin::pin!(fill);
    let Some(lease) = lease else { return fill.await };
    let renew = async {
        loop {
            sleep(RENEW_AFTER).await;
            lease.renew().await;
        }
    };
    tokio::select! {
        biased;
        value = &mut fill => value,
        () = renew => unreachable!("it goes on for as long as it is polled"),
    }
}

impl Lease {
    /// Takes it, unless another process has it.
    pub(super) async fn take(cache: &Cache, name: &str) -> Result<Option<Self>, CacheError> {
        let (key, token) = (cache.keys().fill(name), new_token());
        let guard = &cache.shared.guard;
        let held = guard.ask_again(|store| store.lock(&key, &token, FILL_LEASE, Duration::ZERO)).await?;
        Ok(held.map(|_| Self { cache: cache.clone(), key, token, is_over: false }))
    }

    /// Whether it is still held; also when that is not known.
    pub(super) async fn renew(&self) -> bool {
        let renew = self.cache.shared.guard.ask(|store| store.renew(&self.key, &self.token, FILL_LEASE)).await;
        renew.unwrap_or(true)
    }

    /// Gives it back; `false` when it was not held any more.
    pub(super) async fn end(mut self) -> Result<bool, ()> {
        self.is_over = true;
        self.cache.shared.guard.ask(|store| store.unlock(&self.key, &self.token)).await.map_err(|_| ())
    }

    pub(super) async fn give_back(self) {
        // It ends by itself, too.
        let _ = self.end().await;
    }
}

impl Drop for Lease {
    /// The caller is gone in the middle: others need not wait until it has ended by itself.
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (cache, key, token) = (self.cache.clone(), self.key.clone(), self.token.clone());
            runtime.spawn(async move {
                let _ = cache.shared.guard.ask(|store| store.unlock(&key, &token)).await;
            });
        }
    }
}
