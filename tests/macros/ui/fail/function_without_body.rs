use task_runtime::task;

trait Mailer {
    #[task]
    async fn send(to: String);
}

fn main() {}
