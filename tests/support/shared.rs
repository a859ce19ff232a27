//! Servers that all tests of a process share, each test in its own namespace.

use std::sync::OnceLock;

use crate::{Cluster, Server};

/// The Redis of this test process. It keeps nothing on disk.
pub fn shared_redis() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::redis().start())
}

/// The Valkey of this test process. It keeps nothing on disk.
pub fn shared_valkey() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::valkey().start())
}

/// The cluster of this test process: three Valkey masters.
pub fn shared_cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::valkey(3))
}
