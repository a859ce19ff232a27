use task_runtime::task;

#[task]
async fn of_a_type<T: Clone>(value: Vec<T>) {
    let _ = value.clone();
}

#[task]
async fn of_a_constant<const N: usize>(value: String) {
    let _ = (N, value);
}

#[task]
async fn with_a_clause(value: String)
where
    String: Clone,
{
    let _ = value.clone();
}

fn main() {}
