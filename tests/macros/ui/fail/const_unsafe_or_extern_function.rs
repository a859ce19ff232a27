use task_runtime::task;

#[task(blocking)]
const fn constant() {}

#[task]
async unsafe fn dangerous() {}

#[task(blocking)]
extern "C" fn foreign() {}

fn main() {}
