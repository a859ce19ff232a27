use task_runtime::cached;

#[cached(tll = 60, version = 0, by = ["ids"], tags = ["{"])]
fn page<T>((_, _): (u8, u8), id: impl Into<T>, text: &str) -> &str {
    text
}

fn main() {}
