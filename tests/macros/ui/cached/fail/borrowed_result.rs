use task_runtime::cached;

#[cached]
async fn first(name: &str) -> Result<&str, String> {
    Ok(name)
}

#[cached]
async fn constant() -> Option<&'static str> {
    Some("text")
}

#[cached]
async fn cow(name: &str) -> std::borrow::Cow<'_, str> {
    name.into()
}

fn main() {}
