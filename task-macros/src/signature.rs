//! Step two, first half: what the function looks like, and what keeps it from being a task.
//!
//! The function itself is never written from what is parsed here: it is emitted as the user's own tokens, and its body
//! is not even looked at, so that editors keep working inside a half-written one.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Abi, Attribute, GenericParam, ReturnType, Safety, Signature, Token, Visibility, token};

use crate::errors::Errors;
use crate::parameter::{self, Parameter};

/// A function as it was written.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    /// The block, and whatever is written behind it.
    pub(crate) body: TokenStream,
}

impl Function {
    /// Reads a function; `attribute` and `kind` name in messages what it is to be: `#[task]`, `a task`.
    pub(crate) fn parse(item: TokenStream, attribute: &str, kind: &str) -> syn::Result<Self> {
        (|input: ParseStream| parse_function(input, attribute, kind)).parse2(item)
    }

    /// The name without `r#`.
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    /// The parameters, if nothing in the signature keeps the function from being a task.
    pub(crate) fn check(&self, blocking: Option<&Ident>, errors: &mut Errors) -> Option<Vec<Parameter>> {
        let before = errors.count();
        self.check_qualifiers(blocking, errors);
        self.check_generics(errors);
        let parameters = parameter::check_all(&self.signature, errors);
        if let ReturnType::Type(_, ty) = &self.signature.output {
            parameter::check_output(ty, errors);
        }
        (errors.count() == before).then_some(parameters)
    }

    fn check_qualifiers(&self, blocking: Option<&Ident>, errors: &mut Errors) {
        let signature = &self.signature;
        if let Some(constness) = &signature.constness {
            errors.at(constness, "a task runs in a worker; remove `const`");
        }
        if let Safety::Unsafe(unsafety) = &signature.safety {
            errors.at(
                unsafety,
                "a worker calls the task, and it cannot keep a promise of safety; move the `unsafe` into the body",
            );
        }
        if let Some(abi) = &signature.abi {
            errors.at(abi, "a task is called from Rust only; remove the `extern`");
        }
        match (&signature.asyncness, blocking) {
            (None, None) => errors.at(
                signature.fn_token,
                "a task is an `async fn`; add `async`, or write `#[task(blocking)]` if it blocks its thread",
            ),
            (Some(_), Some(option)) => errors
                .at(option, "`blocking` is for a plain `fn` that blocks its thread; remove it, or remove the `async`"),
            _ => {}
        }
        if let Some(variadic) = &signature.variadic {
            errors.at(variadic, "a task has a fixed number of parameters; take a `Vec` instead");
        }
    }

    fn check_generics(&self, errors: &mut Errors) {
        let generics = &self.signature.generics;
        for parameter in &generics.params {
            match parameter {
                GenericParam::Lifetime(lifetime) => errors.at(
                    lifetime,
                    "a task cannot have lifetime parameters, because a job owns its arguments; leave the lifetime out",
                ),
                GenericParam::Type(_) | GenericParam::Const(_) => errors.at(
                    parameter,
                    "a task cannot be generic, because a worker has to know every task; \
                     write one task for each type and let them call a generic function",
                ),
            }
        }
        // Next to generic parameters the clause goes away with them.
        if let (true, Some(clause)) = (generics.params.is_empty(), &generics.where_clause) {
            errors.at(clause, "a task cannot have a `where` clause; remove it");
        }
    }
}

fn parse_function(input: ParseStream, attribute: &str, kind: &str) -> syn::Result<Function> {
    let attributes = Attribute::parse_outer(input)?;
    let visibility = input.parse()?;
    if !is_function(input) {
        return Err(input.error(format!("`{attribute}` goes on a function")));
    }
    let signature: Signature = input.parse()?;
    if !input.peek(token::Brace) {
        return Err(syn::Error::new_spanned(&signature.ident, format!("{kind} needs a body")));
    }
    // The body stays unread.
    let body = input.parse()?;
    Ok(Function { attributes, visibility, signature, body })
}

/// Whether `fn` comes, after whatever may stand before it.
fn is_function(input: ParseStream) -> bool {
    let ahead = input.fork();
    ahead.parse::<Option<Token![const]>>().is_ok()
        && ahead.parse::<Option<Token![async]>>().is_ok()
        && ahead.parse::<Option<Token![unsafe]>>().is_ok()
        && ahead.parse::<Option<Abi>>().is_ok()
        && ahead.peek(Token![fn])
}

/// The item with nothing changed but that our own marks on its parameters are gone, and the docs, which rustc refuses
/// there. Works on tokens, so that it also works on what cannot be parsed.
pub(crate) fn as_written(item: TokenStream) -> TokenStream {
    let mut in_signature = false;
    item.into_iter()
        .map(|token| match token {
            TokenTree::Ident(ident) => {
                in_signature |= ident == "fn";
                TokenTree::Ident(ident)
            }
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                in_signature = false;
                TokenTree::Group(group)
            }
            TokenTree::Group(group) if in_signature && group.delimiter() == Delimiter::Parenthesis => {
                TokenTree::Group(without_marks(group))
            }
            other => other,
        })
        .collect()
}

fn without_marks(parameters: Group) -> Group {
    let mut kept = TokenStream::new();
    let mut removed = false;
    let mut tokens = parameters.stream().into_iter().peekable();
    while let Some(token) = tokens.next() {
        let is_mark = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '#')
            && matches!(tokens.peek(), Some(TokenTree::Group(attribute)) if is_removed(attribute));
        if is_mark {
            tokens.next();
            removed = true;
        } else {
            kept.extend([token]);
        }
    }
    if !removed {
        return parameters;
    }
    let mut group = Group::new(Delimiter::Parenthesis, kept);
    group.set_span(parameters.span());
    group
}

fn is_removed(attribute: &Group) -> bool {
    let mut name = None;
    for token in attribute.stream() {
        match token {
            TokenTree::Ident(ident) => name = Some(ident.to_string()),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            _ => break,
        }
    }
    name.is_some_and(|name| name == "doc" || means_inject(&name))
}

/// Whether an attribute's name is `inject`, or `inject` misspelt.
pub(crate) fn means_inject(name: &str) -> bool {
    let name = name.to_lowercase();
    name.starts_with("inject") || strsim::damerau_levenshtein(&name, "inject") == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(source: &str) -> TokenStream {
        source.parse().expect("the source is made of tokens")
    }

    #[test]
    fn only_marks_and_docs_of_parameters_are_removed() {
        let item = "#[doc = \"kept\"] #[inject] pub(crate) async fn f<F: Fn(u8)>(#[inject] a: A, #[doc = \"x\"] b: B,
            #[allow(unused)] c: C, #[injekt(1)] d: D, #[task::inject] e: E) -> (u8,) { g(#[inject] 1) }";
        let expected = "#[doc = \"kept\"] #[inject] pub(crate) async fn f<F: Fn(u8)>(a: A, b: B,
            #[allow(unused)] c: C, d: D, e: E) -> (u8,) { g(#[inject] 1) }";
        assert_eq!(as_written(tokens(item)).to_string(), tokens(expected).to_string());
    }
}
