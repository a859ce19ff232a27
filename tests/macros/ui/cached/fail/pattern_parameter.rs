use task_runtime::cached;

#[cached]
async fn page((id, language): (u64, String), _: u8) -> String {
    format!("{id} {language}")
}

fn main() {}
