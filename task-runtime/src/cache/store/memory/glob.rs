//! The patterns of `SCAN`, in the form that Redis gives them.

/// Whether the text is like the pattern: `*` is any text, `?` any byte, `[abc]`, `[a-c]` and `[^a]` one of some bytes,
/// and `\` takes from the next byte what it means. Source: the documentation of the command `KEYS`.
pub(super) fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last `*` was, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    loop {
        let matched = match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
                continue;
            }
            Some(_) => text.get(from).and_then(|byte| one(&pattern[at..], *byte)),
            None if from == text.len() => return true,
            None => None,
        };
        match (matched, &mut star) {
            (Some(length), _) => (at, from) = (at + length, from + 1),
            (None, Some((place, taken))) if *taken < text.len() => {
                *taken += 1;
                (at, from) = (*place + 1, *taken);
            }
            (None, _) => return false,
        }
    }
}

/// How many bytes of the pattern stand for this byte, if they do.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', class @ ..] => {
            let (length, is_in) = class_of(class, byte);
            is_in.then_some(length + 1)
        }
        [plain, ..] => (*plain == byte).then_some(1),
        [] => None,
    }
}

/// How long a class is, with the bracket that ends it, and whether the byte is in it.
fn class_of(class: &[u8], byte: u8) -> (usize, bool) {
    let negated = class.first() == Some(&b'^');
    let (mut at, mut is_in) = (usize::from(negated), false);
    while let Some(&first) = class.get(at) {
        match (first, class.get(at + 1), class.get(at + 2)) {
            (b']', ..) => return (at + 1, is_in != negated),
            (b'\\', Some(&escaped), _) => {
                is_in |= escaped == byte;
                at += 2;
            }
            (_, Some(b'-'), Some(&last)) => {
                is_in |= (first.min(last)..=first.max(last)).contains(&byte);
                at += 3;
            }
            _ => {
                is_in |= first == byte;
                at += 1;
            }
        }
    }
    (class.len(), is_in != negated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_the_servers() {
        let like = [
            ("*", ""),
            ("user:*", "user:1"),
            ("*:1", "user:1"),
            ("a*b*c", "a-b-b-c"),
            ("h?llo", "hello"),
            ("h[ae]llo", "hallo"),
            ("h[a-c]llo", "hbllo"),
            ("h[^e]llo", "hallo"),
            (r"a\*b", "a*b"),
            (r"[\]]", "]"),
            ("shop:[0-9]*", "shop:12:x"),
        ];
        for (pattern, text) in like {
            assert!(is_like(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        let unlike = [
            ("", "a"),
            ("a", ""),
            ("user:*", "users"),
            ("h?llo", "hllo"),
            ("h[^e]llo", "hello"),
            (r"a\*b", "axb"),
            ("*a", "b"),
        ];
        for (pattern, text) in unlike {
            assert!(!is_like(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }
}
