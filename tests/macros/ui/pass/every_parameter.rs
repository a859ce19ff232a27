use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;

use task_runtime::{Data, task};

type Alias = Vec<Option<(u8, String)>>;

#[derive(serde::Serialize, serde::Deserialize)]
struct Own {
    value: u8,
}

#[task]
async fn everything(
    /// Moves to the field.
    text: &str,
    owned_text: String,
    list: &[Own],
    anonymous: &'_ Own,
    mut map: HashMap<String, [u8; 4]>,
    alias: &Alias,
    path: PathBuf,
    cow: Cow<'static, str>,
    nothing: (),
    #[inject] by_value: Data<u8>,
    #[inject] by_reference: &Data<&'static str>,
    #[allow(unused_variables)] unused: bool,
) -> Result<usize, std::num::ParseIntError> {
    map.clear();
    drop((owned_text, path, cow, by_value));
    let _ = (nothing, by_reference, alias, anonymous);
    text.parse::<usize>().map(|number| number + list.len())
}

fn main() {
    let job = Everything::new(
        "3",
        "x",
        vec![Own { value: 1 }],
        Own { value: 2 },
        HashMap::new(),
        vec![],
        PathBuf::new(),
        "y".into(),
        (),
        true,
    );
    assert_eq!((job.text.as_str(), job.list[0].value, job.anonymous.value), ("3", 1, 2));
}
