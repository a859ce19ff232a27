use task_runtime::task;

#[task(timeuot = 30, priority = 12, backoff = linear(), job = "Letter")]
fn send_letter<T>(#[inject(now)] db: &mut T, (a, b): (u8, u8), to: &'static str) -> impl Sized {
    let _ = (db, a, b, to);
}

fn main() {}
