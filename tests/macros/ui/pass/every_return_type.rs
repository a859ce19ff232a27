use task_runtime::task;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(serde::Serialize, serde::Deserialize)]
struct Receipt(u8);

#[task]
async fn nothing() {}

#[task]
async fn unit() -> () {}

#[task]
async fn text_error() -> Result<u8, String> {
    Ok(1)
}

#[task]
async fn borrowed_error() -> Result<u8, &'static str> {
    Ok(1)
}

#[task]
async fn io() -> std::io::Result<Vec<u8>> {
    Ok(vec![])
}

#[task]
async fn alias() -> Outcome<Receipt> {
    Ok(Receipt(1))
}

#[task(blocking)]
fn blocking(count: &u8) -> Outcome<u8> {
    Ok(*count)
}

fn main() {
    let Receipt(_) = Receipt(1);
}
