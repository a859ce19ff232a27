use task_runtime::task;

mod emails {
    use task_runtime::task;

    #[task]
    pub async fn send(to: String, copies: &mut u8) -> Result<usize, String> {
        *copies += 1;
        Ok(to.len())
    }

    #[task(priority = 12)]
    pub async fn print(text: String) -> Result<usize, String> {
        Ok(text.len())
    }
}

#[task]
fn uses() {}

async fn enqueue() -> Result<usize, Box<dyn std::error::Error>> {
    let sent: usize = emails::Send::new("a@b.c", 3).enqueue().await?.result().await?;
    let printed: usize = emails::Print::new("text").options().priority(3).enqueue().await?.result().await?;
    emails::print("text".to_owned()).await?;
    Ok(sent + printed)
}

fn main() {
    drop(enqueue());
}
