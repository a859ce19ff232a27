//! A client of a server.

use std::sync::Arc;

use super::Client;
use crate::broker::redis::RedisBroker;
use crate::broker::{Clock, Inspect as _};
use crate::error::Error;
use crate::job::Namespace;

/// The namespace of a client that is not given one.
const DEFAULT_NAMESPACE: &str = "task";

impl Client {
    /// A client of the Redis or Valkey server at `url`, in the namespace `task`. The forms of a URL:
    ///
    /// | form | connects |
    /// |---|---|
    /// | `redis://[user:password@]host[:port][/database]` | in the clear |
    /// | `rediss://…` | through TLS, with the cargo feature `tls` |
    /// | `unix:///path[?user=…&pass=…&db=…]` | to a socket of this machine |
    /// | `redis://host:port,host2:port2,…` | to a cluster, through any of these nodes |
    ///
    /// One node of a cluster is enough while it can be reached; name several, so that another one
    /// is asked when it cannot.
    ///
    /// The certificate of a TLS server is always verified, against the authorities that the system
    /// trusts. To trust one of your own, name its PEM file with the environment variable
    /// `SSL_CERT_FILE`.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), task_runtime::Error> {
    /// let client = task_runtime::Client::connect("redis://127.0.0.1/").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when the URL is not understood; [`Error::Unavailable`] when no
    /// connection can be made within 2 s, or 4 s if there are several hosts: whoever runs the
    /// server can act.
    ///
    /// # Cancel safety
    /// Nothing is left behind when the future is dropped.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_in(url, Namespace::new(DEFAULT_NAMESPACE)?).await
    }

    /// As [`Client::connect`], in a namespace of your own, which keeps the jobs of one application
    /// apart from those of another on the same server.
    ///
    /// # Errors
    /// Those of [`Client::connect`].
    ///
    /// # Cancel safety
    /// Nothing is left behind when the future is dropped.
    pub async fn connect_in(url: &str, namespace: Namespace) -> Result<Self, Error> {
        let broker = RedisBroker::new(url, namespace, Clock::default())?;
        broker.queues().await?;
        Ok(Self::from_broker(Arc::new(broker)))
    }
}
