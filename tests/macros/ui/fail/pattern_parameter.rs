use task_runtime::task;

#[task]
async fn ping((a, b): (u8, u8), _: u8, ref c: u8) {
    let _ = (a, b, c);
}

fn main() {}
