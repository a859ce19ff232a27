use task_runtime::task;

use std::fmt::Display;

#[task]
async fn ping(what: Box<dyn Display + Send>, other: &(dyn Display + Sync)) {
    let _ = (what, other);
}

fn main() {}
