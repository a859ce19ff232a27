use task_runtime::task;

#[task]
async fn ping() {}

fn main() {
    let _function = ping();
    let Ping {} = Ping::new();
}
