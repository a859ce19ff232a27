mod framework {
    pub mod jobs {
        pub use ::task_runtime::*;
    }
}

mod task_runtime {}

use framework::jobs::cached;

#[cached(name = "ping", crate = crate::framework::jobs)]
async fn ping(to: &str) -> usize {
    to.len()
}

fn main() {
    assert_eq!(ping::key("a").unwrap(), "ping:[\"a\"]");
}
