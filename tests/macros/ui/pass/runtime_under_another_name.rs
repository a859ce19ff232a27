mod framework {
    pub mod jobs {
        pub use ::task_runtime::*;
    }
}

mod task_runtime {}

use framework::jobs::task;

#[task(crate = crate::framework::jobs)]
async fn ping(to: &str) {
    let _ = to;
}

fn main() {
    assert_eq!(Ping::new("a").to, "a");
}
