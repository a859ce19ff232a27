//! The scripts of sessions: one file a verb, its keys declared in its header.

use crate::cache::script::scripts;

// On a full server sessions are read, live on and end; only writes are refused then.
scripts! {
    READ "read" " flags=allow-oom" ["clock" "life"];
    WHOLE "whole" " flags=no-writes" ["clock"];
    WRITE "write" "" ["clock" "life" "bury"];
    END "end" " flags=allow-oom" ["bury"];
    ENLIST "enlist" "" ["clock"];
    DELIST "delist" " flags=allow-oom" [];
    LISTED "listed" " flags=no-writes" ["clock"];
}
