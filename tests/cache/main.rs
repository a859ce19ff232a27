//! What the cache promises: one list of rules for every place where it is kept, and what only a server can show.

mod fixture;

mod values;

use fixture::{Cluster, Memory, Place, Redis, Valkey};

/// A rule that is missing here is reported as dead code.
macro_rules! everywhere {
    ($($place:ident $kind:ty;)*) => {
        $(mod $place {
            use super::*;
            stamp! { $kind:
                values {
                    what_is_set_is_read
                    only_a_key_without_a_value_is_added
                    many_are_written_and_read_at_once
                }
            }
        })*
    };
}

macro_rules! stamp {
    ($kind:ty: $($group:ident { $($rule:ident)* })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                $group::$rule(&<$kind as Place>::make()).await;
            }
        )*)*
    };
}

everywhere! {
    in_memory Memory;
    on_redis Redis;
    on_valkey Valkey;
    in_a_cluster Cluster;
}
