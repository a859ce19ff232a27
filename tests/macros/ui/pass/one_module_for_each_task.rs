mod send_email {
    #[task_runtime::task]
    pub async fn send_email(to: &str) {
        let _ = to;
    }
}

pub use send_email::{SendEmail, send_email};

fn main() {
    let _function = send_email("a");
    assert_eq!(SendEmail::new("a").to, "a");
}
