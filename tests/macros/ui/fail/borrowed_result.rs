use task_runtime::task;

#[task]
async fn ping(to: &str) -> Result<&str, String> {
    Ok(to)
}

fn main() {}
