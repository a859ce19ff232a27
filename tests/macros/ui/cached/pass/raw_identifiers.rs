use task_runtime::cached;

#[cached(name = "raw", by = ["type", "match"], tags = ["{type}", "{match}"])]
async fn r#move(r#type: u8, r#match: &str, r#in: u8) -> u8 {
    let _ = (r#match, r#in);
    r#type
}

fn main() {
    assert_eq!(r#move::key(1, "a").unwrap(), "raw:[1,\"a\"]");
    drop(r#move(1, "a", 2));
}
