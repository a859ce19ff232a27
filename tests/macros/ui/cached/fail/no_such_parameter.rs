use task_runtime::cached;

#[cached(by = ["user", "usr_id", "colour", "user"], tags = ["page:{user_ids}", "language:{language}"])]
async fn page(user: String, user_id: u64, language: &str) -> usize {
    let _ = (user, user_id);
    language.len()
}

fn main() {}
