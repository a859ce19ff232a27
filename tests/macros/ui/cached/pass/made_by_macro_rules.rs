use task_runtime::cached;

macro_rules! pages {
    ($($name:ident($id:ident: $type:ty) -> $output:ty $body:block)*) => {
        $(#[cached(ttl = 60)]
        async fn $name($id: $type, extra: &str) -> $output {
            let _ = extra;
            $body
        })*
    };
}

pages! {
    page(id: u64) -> u64 { id }
    name(id: &str) -> Result<String, String> { Ok(id.to_owned()) }
}

fn main() {
    assert!(page::key(7, "x").unwrap().ends_with("::page:[7,\"x\"]"));
    assert!(name::key("a", "x").unwrap().ends_with("::name:[\"a\",\"x\"]"));
}
