use task_runtime::task;

#[task(
    name = "emails::send-one",
    aliases = ["send_email", "emails.send"],
    queue = "mail.high",
    timeout = "1h30m",
    max_attempts = 1000,
    max_crashes = 100,
    backoff = exponential("1s", cap = "10m", jitter = false),
    priority = 9,
    result_ttl = 0,
    job = Letter,
    derive(Clone, Debug, PartialEq),
    crate = ::task_runtime,
)]
async fn send_email(to: String) -> Result<(), String> {
    drop(to);
    Ok(())
}

#[task(timeout = 0.5, backoff = constant(5, jitter = true))]
async fn constant() {}

#[task(timeout = "500ms", backoff = linear("5s", cap = "5m"))]
async fn linear() {}

#[task(timeout = 30, backoff = [0, 1.5, "5s", "1m"])]
async fn list() {}

fn main() {
    assert_eq!(Letter::new("a").clone(), Letter { to: "a".to_owned() });
    assert!(format!("{:?}", Letter::new("a")).contains("Letter"));
}
