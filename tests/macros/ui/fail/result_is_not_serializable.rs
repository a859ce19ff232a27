use task_runtime::task;

struct Receipt;

#[task]
async fn pay() -> Result<Receipt, String> {
    Ok(Receipt)
}

fn main() {}
