//! What the code written by `#[cached]` calls.

mod errors;
mod function;
mod key;
mod making;
mod returned;

pub use self::errors::{Errors, Forgotten, Kept, NoErrors};
pub use self::function::{Call, Function};
pub use self::key::Arguments;
pub use self::returned::{PlainReturn, Returned};
