use task_runtime::task;

struct Mailer;

impl Mailer {
    #[task]
    async fn send(&self, to: String) {
        let _ = (self, to);
    }
}

fn main() {}
