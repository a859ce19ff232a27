//! Which attributes of the function also hold for what is made from it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

/// The attributes that say whether an item exists at all.
const CONDITIONS: &[&str] = &["cfg"];
/// The attributes that describe a job type as well as its function.
const DESCRIPTIONS: &[&str] = &["doc", "deprecated"];

/// The attributes that say what the compiler is to say of a body.
const LINTS: &[&str] = &["allow", "expect", "warn", "deny", "forbid"];

/// Goes on every generated item.
pub(crate) fn conditions(attributes: &[Attribute]) -> TokenStream {
    attributes.iter().filter_map(|attribute| keep(&attribute.meta, CONDITIONS)).map(|meta| quote!(#[#meta])).collect()
}

/// Goes on the job type.
pub(crate) fn descriptions(attributes: &[Attribute]) -> TokenStream {
    attributes.iter().filter_map(|attribute| keep(&attribute.meta, DESCRIPTIONS)).map(|meta| quote!(#[#meta])).collect()
}

/// Goes where the body of the function goes, and its parameters.
pub(crate) fn lints(attributes: &[Attribute]) -> TokenStream {
    attributes.iter().filter_map(|attribute| keep(&attribute.meta, LINTS)).map(|meta| quote!(#[#meta])).collect()
}

/// Whether an attribute is there, perhaps under a condition.
pub(crate) fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| keep(&attribute.meta, &[name]).is_some())
}

/// The attribute if its name is wanted; of a `cfg_attr`, what is wanted among its attributes.
///
/// The rest of a `cfg_attr`, such as `cfg_attr(test, tracing::instrument)`, may only be meant for a function.
fn keep(meta: &Meta, wanted: &[&str]) -> Option<TokenStream> {
    if wanted.iter().any(|name| meta.path().is_ident(name)) {
        return Some(meta.to_token_stream());
    }
    let Meta::List(list) = meta else { return None };
    if !list.path.is_ident("cfg_attr") {
        return None;
    }
    // Of what is not yet understood rustc says what is wrong with it, on the function.
    let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let mut parts = parts.into_iter();
    let condition = parts.next()?;
    let kept: Vec<TokenStream> = parts.filter_map(|part| keep(&part, wanted)).collect();
    (!kept.is_empty()).then(|| quote!(cfg_attr(#condition, #(#kept),*)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn text(tokens: TokenStream) -> String {
        tokens.to_string().replace(' ', "")
    }

    #[test]
    fn each_item_gets_what_concerns_it() {
        let attributes: [Attribute; 6] = [
            parse_quote!(#[doc = "x"]),
            parse_quote!(#[cfg(unix)]),
            parse_quote!(#[inline]),
            parse_quote!(#[deprecated]),
            parse_quote!(#[cfg_attr(test, tracing::instrument, cfg(unix), doc(hidden), cfg_attr(unix, doc = "y"))]),
            parse_quote!(#[cfg_attr(test, inline)]),
        ];
        assert_eq!(text(conditions(&attributes)), "#[cfg(unix)]#[cfg_attr(test,cfg(unix))]");
        assert_eq!(
            text(descriptions(&attributes)),
            "#[doc=\"x\"]#[deprecated]#[cfg_attr(test,doc(hidden),cfg_attr(unix,doc=\"y\"))]"
        );
        let lints_of: [Attribute; 3] = [
            parse_quote!(#[allow(unused)]),
            parse_quote!(#[inline]),
            parse_quote!(#[cfg_attr(test, inline, expect(dead_code))]),
        ];
        assert_eq!(text(lints(&lints_of)), "#[allow(unused)]#[cfg_attr(test,expect(dead_code))]");
        assert!(has(&attributes, "deprecated"));
        assert!(!has(&attributes, "test"));
    }
}
