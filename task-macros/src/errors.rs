//! The error sink: stopping at the first mistake would cost the user one compilation per mistake.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// Every mistake found so far, in the order of discovery.
#[derive(Default)]
pub(crate) struct Errors {
    combined: Option<syn::Error>,
}

impl Errors {
    /// Reports a mistake on the tokens that make it.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.combined {
            Some(combined) => combined.combine(error),
            None => self.combined = Some(error),
        }
    }

    /// Takes the value of a step, or reports why there is none and goes on.
    pub(crate) fn collect<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// How many mistakes are known; a step that adds none has succeeded.
    pub(crate) fn count(&self) -> usize {
        self.combined.iter().flatten().count()
    }

    #[cfg(test)]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.combined.iter().flatten().map(|error| error.to_string()).collect()
    }

    /// One `compile_error!` per mistake; nothing if there is none.
    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.combined.map_or_else(TokenStream::new, |error| error.into_compile_error())
    }
}

/// The known word that was probably meant, if one is near enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["timeout", "queue", "name", "job"];
        assert_eq!(nearest("timeuot", known), Some("timeout"));
        assert_eq!(nearest("time_out", known), Some("timeout"));
        assert_eq!(nearest("jobs", known), Some("job"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn every_mistake_becomes_one_compile_error() {
        let mut errors = Errors::default();
        errors.at(quote!(a), "first");
        errors.at(quote!(b), "second");
        assert_eq!(errors.count(), 2);
        let text = errors.into_compile_errors().to_string();
        assert!(text.contains("first") && text.contains("second"));
    }
}
