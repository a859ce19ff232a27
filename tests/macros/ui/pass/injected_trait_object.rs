use std::borrow::Cow;
use std::sync::Arc;

use task_runtime::{Data, task};

trait Mailer: Send + Sync {}

#[task]
async fn shared(#[inject] mailer: &Data<Arc<dyn Mailer>>) {
    let _ = mailer;
}

#[task]
async fn boxed(#[inject] mailer: Data<Box<dyn Mailer>>) {
    drop(mailer);
}

#[task]
async fn with_a_static_lifetime(#[inject] texts: &Data<Vec<Cow<'static, str>>>, #[inject] text: Data<&'static str>) {
    let _ = (texts, text);
}

#[task(blocking)]
fn blocking(#[inject] mailer: &Data<Arc<dyn Mailer>>) {
    let _ = mailer;
}

fn main() {}
