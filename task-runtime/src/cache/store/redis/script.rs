//! The scripts of a cache.

use crate::cache::script::scripts;

// On a full server, what is there is still read and given back.
scripts! {
    ADD "add" "" [];
    COMMAND "command" "" [];
    EXPIRE "expire" " flags=allow-oom" [];
    LOCK "lock" "" ["clock"];
    RENEW "renew" " flags=allow-oom" ["clock"];
    SET_MANY "set_many" "" [];
    TAG "tag" "" [];
    UNLOCK "unlock" " flags=allow-oom" ["clock"];
}
