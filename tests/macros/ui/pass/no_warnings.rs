//! Nothing that the macro writes may warn, however strict the crate is.

#![forbid(unsafe_code)]
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    non_local_definitions,
    rust_2018_idioms,
    single_use_lifetimes,
    unreachable_pub,
    unused_qualifications,
    unused_results
)]

use task_runtime::{Data, task};

pub mod emails {
    //! Public tasks.

    use super::{Data, task};

    /// Sends one e-mail.
    #[task(derive(Debug))]
    pub async fn send(to: &str, _unused: bool, #[inject] db: &Data<u8>) -> Result<usize, String> {
        let _ = db;
        Ok(to.len())
    }

    /// Replaced by `send`.
    #[deprecated(note = "use `send`")]
    #[task(derive(Clone, Debug))]
    pub async fn send_old(to: &str) {
        let _ = to;
    }
}

#[task]
async fn never_enqueued(a: u8, b: u8, c: u8) {
    let _ = (a, b, c);
}

#[task]
pub(crate) async fn for_the_crate() {}

#[task(blocking)]
#[expect(non_snake_case, reason = "the parameter is named after the quantity")]
fn blocking(T: u8) {
    let _ = T;
}

#[task]
#[allow(clippy::too_many_arguments, reason = "this is what is tried")]
async fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) {
    let _ = (a, b, c, d, e, f, g, h);
}

fn main() {}
