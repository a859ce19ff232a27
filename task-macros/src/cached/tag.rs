//! A tag as it is written: text with the names of parameters in braces, `user:{user_id}`.

use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::{Ident, LitStr};

/// A tag, taken apart.
pub(crate) struct Tag {
    pub(crate) literal: LitStr,
    /// What stands before each placeholder, and the name in it, without `r#`.
    pub(crate) placeholders: Vec<(String, String)>,
    /// What stands behind the last one.
    pub(crate) end: String,
}

impl Tag {
    pub(crate) fn parse(literal: LitStr) -> syn::Result<Self> {
        let text = literal.value();
        match take_apart(&text) {
            Ok((placeholders, end)) => Ok(Self { literal, placeholders, end }),
            Err(message) => Err(syn::Error::new_spanned(literal, message)),
        }
    }

    /// The text for `format!`, where each placeholder is `{}`.
    pub(crate) fn format(&self) -> String {
        let escaped = |text: &str| text.replace('{', "{{").replace('}', "}}");
        let before: String = self.placeholders.iter().map(|(before, _)| escaped(before) + "{}").collect();
        before + &escaped(&self.end)
    }
}

fn take_apart(text: &str) -> Result<(Vec<(String, String)>, String), String> {
    if text.is_empty() {
        return Err("the tag is empty".to_owned());
    }
    let mut placeholders = Vec::new();
    let (mut before, mut rest) = (String::new(), text);
    while let Some(brace) = rest.find(['{', '}']) {
        let (plain, tail) = rest.split_at(brace);
        before.push_str(plain);
        if let Some(tail) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
            before.push_str(&rest[brace..=brace]);
            rest = tail;
        } else if tail.starts_with('}') {
            return Err(format!("the tag `{text}` has no `{{` for its `}}`; write `}}}}` for a brace"));
        } else {
            let Some((name, tail)) = tail[1..].split_once('}') else {
                return Err(format!("the tag `{text}` has no `}}` for its `{{`; write `{{{{` for a brace"));
            };
            // Of `r#type`, the name is `type`.
            if name.starts_with("r#") || Ident::parse_any.parse_str(name).is_err() {
                return Err(format!(
                    "`{{{name}}}` is no name of a parameter; a tag has names in braces and nothing else, as in \
                     `user:{{user_id}}`"
                ));
            }
            placeholders.push((std::mem::take(&mut before), name.to_owned()));
            rest = tail;
        }
    }
    before.push_str(rest);
    Ok((placeholders, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_taken_apart() {
        let pair = |before: &str, name: &str| (before.to_owned(), name.to_owned());
        let table = [
            ("users", vec![], "users"),
            ("user:{id}", vec![pair("user:", "id")], ""),
            ("{a}{b}c", vec![pair("", "a"), pair("", "b")], "c"),
            ("{{a}}-{b}", vec![pair("{a}-", "b")], ""),
            ("{type}", vec![pair("", "type")], ""),
        ];
        for (text, placeholders, end) in table {
            assert_eq!(take_apart(text), Ok((placeholders, end.to_owned())), "{text}");
        }
    }

    #[test]
    fn bad_tags_say_what_to_write() {
        for (text, message) in [
            ("", "is empty"),
            ("a{b", "has no `}`"),
            ("{a}{a", "has no `}`"),
            ("a}b", "has no `{`"),
            ("{}", "`{}` is no name"),
            ("{r#a}", "`{r#a}` is no name"),
            ("{a.b}", "`{a.b}` is no name"),
            ("{a:?}", "`{a:?}` is no name"),
            ("{{a}", "has no `{`"),
        ] {
            let error = take_apart(text).expect_err(text);
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
