//! The attribute `#[cached]`: parse, check, write, as for a task.

mod args;
mod expand;
mod fallback;
mod model;
mod parameter;
mod tag;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

use self::args::Args;
use self::model::Cached;
use crate::errors::Errors;
use crate::signature::{Function, as_written};

/// Whatever is wrong, a function of this name and signature is always there.
pub(crate) fn write(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(options, &mut errors);
    let function = errors.collect(Function::parse(item.clone(), "#[cached]", "a cached function"));
    let cached = function.as_ref().and_then(|function| Cached::check(&args, function, &mut errors));
    let mut output = match &cached {
        Some(cached) if !args.runtime_is_unknown => expand::expand(cached),
        _ => as_written(item),
    };
    output.extend(errors.into_compile_errors());
    if let (None, Some(function), false) = (&cached, &function, args.runtime_is_unknown) {
        output.extend(fallback::expand(&args, function));
    }
    output
}
