//! When the function cannot be cached: a type beside it that keeps its users from complaining as well.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{FnArg, Pat, ReturnType};

use super::args::Args;
use super::expand::holder;
use super::model::has_good_output;
use crate::attributes;
use crate::model::runtime_crate;
use crate::signature::Function;

/// Functions that accept any arguments; the compilation fails in any case.
pub(super) fn expand(args: &Args, function: &Function) -> TokenStream {
    // A method: where it stands, there can be no types.
    if function.signature.receiver().is_some() {
        return TokenStream::new();
    }
    let runtime = runtime_crate(args.runtime.as_ref());
    let runtime = quote!(#runtime::__private::cached);
    let (visibility, name) = (&function.visibility, &function.signature.ident);
    let conditions = attributes::conditions(&function.attributes);
    let holder = holder(function);
    let inputs = &function.signature.inputs;
    let all: Vec<TokenStream> = inputs.iter().map(|_| quote!(_: impl ::core::marker::Sized)).collect();
    let is_part = |input: &&FnArg| match (&args.by, input) {
        (Some(by), FnArg::Typed(input)) => {
            let Pat::Ident(pattern) = &*input.pat else { return false };
            by.iter().any(|chosen| pattern.ident.unraw() == chosen.value())
        }
        _ => true,
    };
    let by: Vec<_> = inputs.iter().filter(is_part).map(|_| quote!(_: impl ::core::marker::Sized)).collect();
    let output = if has_good_output(function) { &function.signature.output } else { &ReturnType::Default };
    quote! {
        #holder

        #conditions
        #[doc(hidden)]
        #[allow(dead_code, private_interfaces, unreachable_pub, clippy::all)]
        impl #name {
            #visibility async fn uncached(#(#all),*) #output {
                ::core::unreachable!()
            }
            #visibility async fn refresh(#(#all),*) #output {
                ::core::unreachable!()
            }
            #visibility fn key(
                #(#by),*
            ) -> ::core::result::Result<::std::string::String, #runtime::CacheError> {
                ::core::unreachable!()
            }
            #visibility async fn invalidate(
                #(#by),*
            ) -> ::core::result::Result<bool, #runtime::CacheError> {
                ::core::unreachable!()
            }
        }
    }
}
