//! Types in the words of their author, for people who look at a task from outside.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// Writes a type the way people do, and the same way with every compiler, which `to_string` does not promise.
pub(crate) fn type_text(tokens: TokenStream) -> String {
    let mut text = String::new();
    write_type(tokens, &mut text);
    text
}

fn write_type(tokens: TokenStream, text: &mut String) {
    let mut after_joint = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write_type(group.stream(), text);
                text.push_str(close);
            }
            TokenTree::Punct(punct) => {
                match (punct.as_char(), punct.spacing()) {
                    (c @ (',' | ';'), _) => text.extend([c, ' ']),
                    (c @ ('=' | '+'), _) => text.extend([' ', c, ' ']),
                    ('-', Spacing::Joint) => text.push_str(" -"),
                    ('>', _) if text.ends_with('-') => text.push_str("> "),
                    (':', Spacing::Alone) if !after_joint => text.push_str(": "),
                    (c, _) => text.push(c),
                }
                after_joint = punct.spacing() == Spacing::Joint;
                continue;
            }
            word @ (TokenTree::Ident(_) | TokenTree::Literal(_)) => {
                if text.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>') {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
        after_joint = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_written_the_way_people_do() {
        for ty in [
            "String",
            "Vec<T>",
            "&'static str",
            "HashMap<String, Vec<(u8, u8)>>",
            "::std::collections::HashMap<String, [u8; 4]>",
            "Box<dyn Fn(&mut u8) -> u8 + Send>",
            "<A as B>::C",
            "Map<Key = A, N = 3>",
            "for<'a> fn(&'a str)",
            "r#type::r#Move",
            "Foo<{ A }, -1>",
            "()",
        ] {
            let spaceless = |text: &str| text.replace([' '], "");
            let written = type_text(ty.parse().expect("a type is made of tokens"));
            assert_eq!(spaceless(&written), spaceless(ty));
            if !ty.contains('{') {
                assert_eq!(written, ty);
            }
        }
    }
}
