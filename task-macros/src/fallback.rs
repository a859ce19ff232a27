//! When the function cannot be a task: a job type that keeps its users from complaining as well.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{FnArg, ReturnType};

use crate::args::Args;
use crate::attributes;
use crate::errors::Errors;
use crate::expand::{enqueue_methods, output};
use crate::model::{job_type, runtime_crate};
use crate::parameter::{check_output, is_injected};
use crate::signature::Function;

/// A job type that accepts any arguments; the compilation fails in any case.
pub(crate) fn expand(args: &Args, function: &Function) -> TokenStream {
    let Some(job) = job_type(args, function) else {
        return TokenStream::new();
    };
    // A method: where it stands, there can be no types.
    if function.signature.receiver().is_some() {
        return TokenStream::new();
    }
    let runtime = runtime_crate(args.runtime.as_ref());
    let runtime = quote!(#runtime::__private);
    let serde = quote!(#runtime::serde).to_string().replace(' ', "");
    let conditions = attributes::conditions(&function.attributes);
    let visibility = &function.visibility;
    let derives = &args.derive;
    let arguments = function
        .signature
        .inputs
        .iter()
        .filter(|input| matches!(input, FnArg::Typed(input) if !is_injected(input)))
        .map(|_| quote!(_: impl ::core::marker::Sized));
    let output = if has_good_output(function) { output(&runtime, function) } else { quote!(()) };
    let enqueue = enqueue_methods(&runtime, function);
    quote! {
        #conditions
        #[doc(hidden)]
        #[derive(#runtime::serde::Serialize, #runtime::serde::Deserialize #(, #derives)*)]
        #[serde(crate = #serde)]
        #visibility struct #job {}

        #conditions
        #[doc(hidden)]
        #[allow(dead_code)]
        impl #job {
            #visibility fn new(#(#arguments),*) -> Self {
                Self {}
            }
            #enqueue
        }

        #conditions
        impl #runtime::Task for #job {
            const NAME: &'static str = "";
            const OPTIONS: #runtime::TaskOptions = #runtime::TaskOptions::DEFAULT;
            type Output = #output;
        }
    }
}

/// Whether the type of the result is not what is wrong.
fn has_good_output(function: &Function) -> bool {
    let signature = &function.signature;
    let mut errors = Errors::default();
    if let ReturnType::Type(_, ty) = &signature.output {
        check_output(ty, &mut errors);
    }
    // A generic parameter may be part of the type.
    signature.generics.params.is_empty() && errors.count() == 0
}
