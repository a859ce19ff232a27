use task_runtime::{Data, cached, task};

/// The attribute that comes first does not matter.
#[task(name = "before")]
#[cached(ttl = 60, by = "id", name = "before")]
async fn before(id: u64, #[inject] database: &Data<u8>) -> Result<u64, std::io::Error> {
    let _ = database;
    Ok(id)
}

#[cached(ttl = 60, by = "id", name = "after")]
#[task(name = "after")]
async fn after(
    /// Which one.
    id: u64,
    #[inject] database: &Data<u8>,
) -> Result<u64, std::io::Error> {
    let _ = database;
    Ok(id)
}

fn main() {
    assert_eq!((Before::new(1).id, After::new(2).id), (1, 2));
    assert_eq!(before::key(1).unwrap(), "before:[1]");
    assert_eq!(after::key(1).unwrap(), "after:[1]");
}
