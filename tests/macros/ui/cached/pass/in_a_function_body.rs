use task_runtime::cached;

fn one() -> String {
    #[cached]
    async fn inner(id: u64) -> u64 {
        id
    }
    drop(inner(1));
    inner::key(1).unwrap()
}

async fn other() -> String {
    #[cached]
    async fn inner(id: u64) -> u64 {
        id
    }
    drop(inner(1));
    inner::key(1).unwrap()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (one, other) = (one(), other().await);
    assert!(one.ends_with("::one::inner:[1]") && other.ends_with("::other::inner:[1]"), "{one} {other}");
}
