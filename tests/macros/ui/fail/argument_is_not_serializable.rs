use task_runtime::task;

struct Letter;

#[task]
async fn send(letter: Letter, copies: u8) {
    let _ = (letter, copies);
}

fn main() {}
