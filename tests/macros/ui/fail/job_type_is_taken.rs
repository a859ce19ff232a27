use task_runtime::task;

struct SendEmail;

#[task]
async fn send_email() {}

fn main() {}
