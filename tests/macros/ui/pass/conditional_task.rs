use task_runtime::task;

#[task]
#[cfg(any())]
async fn absent(value: DoesNotExist) {}

#[cfg(any())]
#[task]
async fn absent_too(value: DoesNotExist) {}

#[task]
#[cfg_attr(all(), cfg(any()))]
async fn absent_at_last(value: DoesNotExist) {}

#[task]
#[cfg(all())]
#[cfg_attr(all(), inline, doc = "Is there.")]
async fn present(value: u8) {
    let _ = value;
}

fn main() {
    assert_eq!(Present::new(1).value, 1);
}
