use task_runtime::task;

#[task(backoff = "5s")]
async fn no_form() {}

#[task(backoff = exponental("1s"))]
async fn misspelt() {}

#[task(backoff = constant)]
async fn no_delay() {}

#[task(backoff = constant("5s", cap = "1m"))]
async fn cap_on_a_constant() {}

#[task(backoff = linear("5s", jiter = true))]
async fn misspelt_setting() {}

#[task(backoff = exponential("5s", cap = "1s"))]
async fn low_cap() {}

#[task(backoff = exponential("1h"))]
async fn above_the_default_cap() {}

#[task(backoff = [])]
async fn no_delays() {}

fn main() {}
