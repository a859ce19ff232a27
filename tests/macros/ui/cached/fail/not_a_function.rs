use task_runtime::cached;

#[cached]
struct Page;

fn main() {}
