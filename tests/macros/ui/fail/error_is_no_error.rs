use task_runtime::task;

struct Refusal;

#[task]
async fn pay() -> Result<(), Refusal> {
    Err(Refusal)
}

fn main() {}
