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

use task_runtime::cached;

pub mod pages {
    //! Public functions.

    use super::cached;

    /// A page.
    #[cached(ttl = 60, tags = ["page:{id}"])]
    pub async fn page(id: u64, _unused: bool) -> Result<u64, String> {
        Ok(id)
    }

    /// Replaced by `page`.
    #[deprecated(note = "use `page`")]
    #[cached(ttl = 60, stale = 60, cache_errors = 1)]
    pub async fn old_page(mut text: String) -> Result<String, String> {
        text.push('!');
        Ok(text)
    }

    /// The function of a program that only looks.
    #[cached(by = [])]
    pub async fn count(numbers: &mut Vec<u64>) -> usize {
        numbers.len()
    }
}

#[derive(serde::Serialize)]
struct Private(u8);

#[cached]
async fn private(private: &Private) -> u8 {
    private.0
}

mod inner {
    use super::{Private, cached};

    #[cached]
    pub(crate) async fn for_the_crate(id: Private) -> u8 {
        id.0
    }
}

#[cached]
#[expect(non_snake_case, reason = "the parameter is named after the quantity")]
async fn quantity(T: u8) -> u8 {
    T
}

#[cached]
#[allow(clippy::too_many_arguments, reason = "this is what is tried")]
async fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8 {
    a + b + c + d + e + f + g + h
}

fn main() {
    drop((private(&Private(1)), inner::for_the_crate(Private(1)), quantity(1), many(1, 2, 3, 4, 5, 6, 7, 8)));
}
