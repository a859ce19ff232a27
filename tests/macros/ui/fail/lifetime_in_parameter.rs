use task_runtime::task;

use std::borrow::Cow;

#[task]
async fn ping(to: &'static str, subject: Cow<'_, str>) {
    let _ = (to, subject);
}

fn main() {}
