use task_runtime::task;

#[task]
struct Ping;

#[task(queue = "mail")]
mod ping {}

#[task]
const PING: u8 = 1;

#[task]
impl Ping {}

fn main() {}
