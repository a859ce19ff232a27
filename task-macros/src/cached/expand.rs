//! Step three: writes a cached function that is known to be right. Nothing here can fail.
//!
//! The function keeps its name in the namespace of values; a type of the same name holds what else there is to call. No
//! local name is made up where the user's parameters are, and paths are absolute, so that nothing can be mistaken.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, Meta, ReturnType, parse_quote};

use super::args::Ttl;
use super::model::Cached;
use super::parameter::Parameter;
use crate::attributes;
use crate::expand::{duration, located, moved, output_place};
use crate::model::runtime_crate;
use crate::signature::Function;

/// The cached function, and the type beside it.
pub(crate) fn expand(cached: &Cached) -> TokenStream {
    let writer = Writer::new(cached);
    let function = writer.function();
    let holder = holder(cached.function);
    let methods = writer.methods();
    quote!(#function #holder #methods)
}

/// The type that is named like the function.
pub(super) fn holder(function: &Function) -> TokenStream {
    let (visibility, name) = (&function.visibility, &function.signature.ident);
    let conditions = attributes::conditions(&function.attributes);
    let doc =
        format!(" What else there is of the cached function `{}`: its key, and calls past its cache.", function.name());
    quote! {
        #conditions
        #[doc = #doc]
        #[allow(dead_code, missing_debug_implementations, non_camel_case_types, unreachable_pub)]
        #visibility enum #name {}
    }
}

struct Writer<'a> {
    cached: &'a Cached<'a>,
    name: &'a Ident,
    /// `::task_runtime::__private::cached`
    runtime: TokenStream,
    conditions: TokenStream,
    /// The type that is returned.
    returned: TokenStream,
}

impl<'a> Writer<'a> {
    fn new(cached: &'a Cached<'a>) -> Self {
        let runtime = runtime_crate(cached.args.runtime.as_ref());
        let signature = &cached.function.signature;
        Self {
            cached,
            name: &signature.ident,
            runtime: quote!(#runtime::__private::cached),
            conditions: attributes::conditions(&cached.function.attributes),
            returned: match &signature.output {
                ReturnType::Default => quote!(()),
                ReturnType::Type(_, ty) => quote!(#ty),
            },
        }
    }

    /// The function as everyone calls it.
    fn function(&self) -> TokenStream {
        let Self { cached, name, .. } = self;
        let (visibility, output) = (&cached.function.visibility, &cached.function.signature.output);
        // What is expected happens in the body, which is somewhere else.
        let attributes = cached.function.attributes.iter().map(|attribute| renamed(attribute, "expect", "allow"));
        let parameters = cached.parameters.iter().map(|parameter| {
            let Parameter { attributes, name, ty, .. } = parameter;
            quote!(#(#attributes)* #name: #ty)
        });
        let asyncness = &cached.function.signature.asyncness;
        let token = &cached.function.signature.fn_token;
        let body = self.through_the_cache(false, quote!(#name));
        quote! {
            #[allow(clippy::used_underscore_binding)]
            #(#attributes)*
            #visibility #asyncness #token #name(#(#parameters),*) #output { #body }
        }
    }

    /// A call that looks into the cache, unless the value is made anew; `holder` is the type beside the function.
    fn through_the_cache(&self, anew: bool, holder: TokenStream) -> TokenStream {
        let Self { cached, returned, .. } = self;
        let place = output_place(cached.function);
        let runtime = moved(&self.runtime, place);
        let method = if cached.args.in_background().is_some() { "run_in_background" } else { "run" };
        // What is said of a value that cannot be stored is said of its type.
        let method = Ident::new(method, place);
        let errors = Ident::new(if cached.args.cache_errors.is_some() { "Kept" } else { "Forgotten" }, place);
        let key: Vec<_> = cached.by().map(|parameter| parameter.name).collect();
        let arguments: Vec<_> = cached.parameters.iter().map(|parameter| parameter.name).collect();
        quote_spanned! {place=>
            #[allow(unused_imports)]
            use #runtime::PlainReturn as _;
            #runtime::Returned::<#returned>::TYPE
                .#method(
                    #holder::__cached_call(#(&#key),*),
                    #runtime::#errors,
                    #anew,
                    move || #holder::uncached(#(#arguments),*),
                )
                .await
        }
    }

    /// What is ours is quiet; the user's own body is not among it.
    fn methods(&self) -> TokenStream {
        let Self { name, conditions, .. } = self;
        let (uncached, key, refresh, call) = (self.uncached(), self.key(), self.refresh(), self.call());
        quote! {
            #conditions
            impl #name {
                #uncached
            }

            #conditions
            #[allow(
                dead_code, deprecated, non_snake_case, private_interfaces, unreachable_pub, clippy::all, clippy::pedantic
            )]
            impl #name {
                #key
                #refresh
                #call
            }
        }
    }

    /// The function as it was written, under another name.
    fn uncached(&self) -> TokenStream {
        let Self { cached, .. } = self;
        let visibility = &cached.function.visibility;
        let lints = attributes::lints(&cached.function.attributes);
        let (asyncness, token) = (&cached.function.signature.asyncness, &cached.function.signature.fn_token);
        let (output, body) = (&cached.function.signature.output, &cached.function.body);
        let parameters = self.written_parameters();
        quote! {
            /// Calls the function as it was written: no value is looked for, and none is stored.
            ///
            /// # Errors
            ///
            /// Those of the function.
            #[allow(dead_code, private_interfaces, unreachable_pub)]
            #lints
            #visibility #asyncness #token uncached(#(#parameters),*) #output #body
        }
    }

    fn written_parameters(&self) -> impl Iterator<Item = TokenStream> {
        self.cached.parameters.iter().map(|parameter| {
            let lints = attributes::lints(parameter.attributes);
            let (pattern, ty) = (parameter.pattern, parameter.ty);
            quote!(#lints #pattern: #ty)
        })
    }

    fn key(&self) -> TokenStream {
        let Self { cached, runtime, .. } = self;
        let visibility = &cached.function.visibility;
        let parameters: Vec<_> = cached.by().map(|Parameter { name, ty, .. }| quote!(#name: #ty)).collect();
        let names: Vec<_> = cached.by().map(|parameter| parameter.name).collect();
        quote! {
            /// The key of the value for these arguments.
            ///
            /// # Errors
            ///
            /// Fails if an argument cannot be written as JSON, or if another function has the name of this one.
            #visibility fn key(
                #(#parameters),*
            ) -> ::core::result::Result<::std::string::String, #runtime::CacheError> {
                Self::__cached_call(#(&#names),*).key()
            }

            /// Removes the value for these arguments from the cache, and says whether there was one.
            ///
            /// # Errors
            ///
            /// As those of `key`; and fails if there is no cache, or if it is not available.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future leaves open whether the value was removed.
            #visibility async fn invalidate(
                #(#parameters),*
            ) -> ::core::result::Result<bool, #runtime::CacheError> {
                Self::__cached_call(#(&#names),*).invalidate().await
            }
        }
    }

    fn refresh(&self) -> TokenStream {
        let Self { cached, .. } = self;
        let (visibility, output) = (&cached.function.visibility, &cached.function.signature.output);
        let parameters = cached.parameters.iter().map(|Parameter { name, ty, .. }| quote!(#name: #ty));
        let body = self.through_the_cache(true, quote!(Self));
        quote! {
            /// Calls the function, and stores the value in the place of the one that is there. An error leaves that one.
            ///
            /// # Errors
            ///
            /// Those of the function.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future drops that of the function, and leaves open whether its value was stored.
            #visibility async fn refresh(#(#parameters),*) #output { #body }
        }
    }

    /// What the cache knows of a call.
    fn call(&self) -> TokenStream {
        let Self { cached, name, runtime, .. } = self;
        let local = |index: usize, span: Span| Ident::new(&format!("__cached_argument_{index}"), located_at(span));
        let by: Vec<&Parameter> = cached.by().collect();
        let parameters = by.iter().enumerate().map(|(index, Parameter { ty, .. })| {
            let argument = local(index, located(ty));
            quote!(#argument: &#ty)
        });
        // What is said of a type that cannot be written is said of that type.
        let arguments = by.iter().enumerate().map(|(index, Parameter { ty, .. })| {
            let span = located(ty);
            let argument = local(index, span);
            quote_spanned!(span=> .with(#argument))
        });
        let tags = cached.args.tags.iter().map(|tag| {
            let span = located(&tag.literal);
            let index = |name: &str| by.iter().position(|parameter| parameter.name.unraw() == name);
            let arguments = tag.placeholders.iter().filter_map(|(_, name)| Some(local(index(name)?, span)));
            let mut text = Literal::string(&tag.format());
            text.set_span(tag.literal.span());
            quote_spanned!(span=> ::std::format!(#text #(, #arguments)*))
        });
        let tags: Vec<TokenStream> = tags.collect();
        let options = self.options();
        quote! {
            #[doc(hidden)]
            fn __cached_call(#(#parameters),*) -> #runtime::Call {
                static __CACHED_FUNCTION: #runtime::Function =
                    #runtime::Function::new(::core::any::type_name::<#name>) #options;
                __CACHED_FUNCTION.call(#runtime::Arguments::new() #(#arguments)*, ::std::vec![#(#tags),*])
            }
        }
    }

    fn options(&self) -> TokenStream {
        let (args, runtime) = (&self.cached.args, &self.runtime);
        let name = args.name.as_ref().map(|name| quote!(.name(#name)));
        let version = args.version.map(|version| {
            let version = Literal::u32_unsuffixed(version);
            quote!(.version(#version))
        });
        let cache = args.cache.as_ref().map(|cache| quote!(.cache(#cache)));
        let ttl = args.ttl.map(|ttl| match ttl {
            Ttl::Forever => quote!(.ttl(#runtime::Ttl::Forever)),
            Ttl::For(ttl) => {
                let ttl = duration(ttl);
                quote!(.ttl(#runtime::Ttl::For(#ttl)))
            }
        });
        let stale = args.stale.map(|stale| {
            let stale = duration(stale);
            quote!(.stale(#stale))
        });
        let early = args.early.map(|eagerness| {
            let eagerness = Literal::f64_unsuffixed(eagerness);
            quote!(.early(#eagerness))
        });
        let errors = args.cache_errors.map(|errors| {
            let errors = duration(errors);
            quote!(.errors(#errors))
        });
        quote!(#name #version #cache #ttl #stale #early #errors)
    }
}

fn located_at(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// The same attribute under another name, if it has the first.
fn renamed(attribute: &Attribute, from: &str, to: &str) -> Attribute {
    let mut attribute = attribute.clone();
    if attribute.path().is_ident(from)
        && let Meta::List(list) = &mut attribute.meta
    {
        let name = Ident::new(to, list.path.get_ident().map_or_else(Span::call_site, Ident::span));
        list.path = parse_quote!(#name);
    }
    attribute
}
