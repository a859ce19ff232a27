use task_runtime::cached;

#[cached]
async unsafe extern "C" fn page(id: u64) -> u64 {
    id
}

fn main() {}
