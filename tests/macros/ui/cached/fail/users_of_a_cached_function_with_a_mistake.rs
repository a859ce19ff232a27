use task_runtime::cached;

mod pages {
    use task_runtime::cached;

    #[cached(ttl = 60, by = "id")]
    pub async fn page(id: u64, (a, b): (u8, u8)) -> Result<String, String> {
        Ok(format!("{id} {a} {b}"))
    }

    #[cached(ttl = "60")]
    pub async fn other(id: u64) -> Option<u64> {
        Some(id)
    }
}

#[cached]
fn uses() {}

async fn user() -> Result<(), Box<dyn std::error::Error>> {
    let page: String = pages::page(1, (2, 3)).await?;
    let again: String = pages::page::uncached(1, (2, 3)).await?;
    let _: (String, bool) = (pages::page::key(1)?, pages::page::invalidate(1).await?);
    let other: Option<u64> = pages::other::refresh(1).await;
    println!("{page} {again} {other:?} {}", pages::other::key(1)?);
    Ok(())
}

fn main() {
    drop(user());
}
