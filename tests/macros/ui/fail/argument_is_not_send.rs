use task_runtime::task;

use std::rc::Rc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

struct Letter(Rc<u8>);

impl Serialize for Letter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Letter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u8::deserialize(deserializer).map(Rc::new).map(Self)
    }
}

#[task]
async fn send(letter: Letter) {
    drop(letter);
}

fn main() {}
