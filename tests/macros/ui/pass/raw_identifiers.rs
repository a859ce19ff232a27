use task_runtime::task;

#[task]
async fn r#move(r#type: &str, r#fn: u8) {
    let _ = (r#type, r#fn);
}

#[task]
async fn r#async(r#type: u8) {
    let _ = r#type;
}

fn main() {
    let job = Move::new("a", 1);
    assert_eq!((job.r#type.as_str(), job.r#fn), ("a", 1));
    assert_eq!(Async::new(1).r#type, 1);
}
