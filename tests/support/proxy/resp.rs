//! Where a frame of the protocol ends, and the first words of a request.

/// The longest frame that passes; more is no traffic of ours.
const MAX_FRAME: usize = 64 * 1024 * 1024;

/// Bytes that are not the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The length of the first frame of `bytes`, RESP2 or RESP3, once it is complete.
pub(super) fn frame(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let (mut at, mut left) = (0, 1_usize);
    while left > 0 {
        let Some((kind, text, after)) = line(bytes, at) else {
            return if bytes.len() > MAX_FRAME { Err(Malformed) } else { Ok(None) };
        };
        at = after;
        left -= 1;
        match kind {
            b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(' => {}
            b'$' | b'=' | b'!' => at += count(text)?.map_or(0, |length| length + 2),
            b'*' | b'~' | b'>' => left += count(text)?.unwrap_or(0),
            b'%' => left += 2 * count(text)?.unwrap_or(0),
            // Attributes come ahead of the value that they belong to.
            b'|' => left += 2 * count(text)?.unwrap_or(0) + 1,
            _ => return Err(Malformed),
        }
        if at > bytes.len() {
            return if at > MAX_FRAME { Err(Malformed) } else { Ok(None) };
        }
    }
    Ok(Some(at))
}

/// The first `most` elements of an array of bulk strings.
pub(super) fn words(frame: &[u8], most: usize) -> Vec<&[u8]> {
    let mut words = Vec::new();
    let Some((b'*' | b'>', _, mut at)) = line(frame, 0) else { return words };
    while words.len() < most {
        let Some((b'$', text, after)) = line(frame, at) else { break };
        let Ok(Some(length)) = count(text) else { break };
        let Some(word) = frame.get(after..after + length) else { break };
        words.push(word);
        at = after + length + 2;
    }
    words
}

/// Whether a reply comes without a request: a push, or a message of a subscription.
pub(super) fn is_unasked(frame: &[u8]) -> bool {
    let message: [&[u8]; 3] = [b"message", b"pmessage", b"smessage"];
    frame.first() == Some(&b'>') || words(frame, 1).first().is_some_and(|word| message.contains(word))
}

/// The places of a frame that are no payload: the types of its parts, and the lengths of those that have one.
pub(super) fn framing(frame: &[u8]) -> Vec<usize> {
    let (mut at, mut places) = (0, Vec::new());
    while let Some((kind, text, after)) = line(frame, at) {
        places.push(at);
        let has_length = b"$=!*~>%|".contains(&kind);
        if has_length {
            places.extend(at + 1..=at + text.len());
        }
        let is_bulk = b"$=!".contains(&kind);
        at = after + if is_bulk { count(text).ok().flatten().map_or(0, |length| length + 2) } else { 0 };
    }
    places
}

/// The line that begins at `at`: its type, the rest of it, and where the next one begins.
fn line(bytes: &[u8], at: usize) -> Option<(u8, &[u8], usize)> {
    let rest = bytes.get(at..)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (kind, text) = rest[..end].split_first().unwrap_or((&b'?', &[]));
    Some((*kind, text, at + end + 2))
}

/// A length; none for the null of RESP2.
fn count(text: &[u8]) -> Result<Option<usize>, Malformed> {
    let number: i64 = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)?;
    match usize::try_from(number) {
        Ok(length) if length <= MAX_FRAME => Ok(Some(length)),
        Ok(_) => Err(Malformed),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_frame_has_an_end_and_none_before_it() {
        let whole: [&[u8]; 9] = [
            b"+OK\r\n",
            b"$-1\r\n",
            b"*-1\r\n",
            b"$3\r\na\r\n\r\n",
            b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
            b"%1\r\n+a\r\n_\r\n",
            b">2\r\n+message\r\n#t\r\n",
            b"|1\r\n+a\r\n+b\r\n$1\r\nx\r\n",
            b"*0\r\n",
        ];
        for bytes in whole {
            let longer = [bytes, b"+next\r\n"].concat();
            assert_eq!(frame(&longer), Ok(Some(bytes.len())), "{}", bytes.escape_ascii());
            for length in 0..bytes.len() {
                assert_eq!(frame(&bytes[..length]), Ok(None), "{} at {length}", bytes.escape_ascii());
            }
        }
        for bytes in [b"hello\r\n".as_slice(), b"$x\r\n", b"*99999999999\r\n", b"\r\n"] {
            assert_eq!(frame(bytes), Err(Malformed));
        }
    }

    #[test]
    fn the_first_words_of_a_request_are_read() {
        let request = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\n";
        assert_eq!(words(request, 9), [b"SET".as_slice(), b"a", b"\r\n"]);
        assert_eq!(words(request, 1), [b"SET".as_slice()]);
        assert!(words(b"+OK\r\n", 1).is_empty());
    }

    #[test]
    fn framing_is_all_but_the_payload() {
        assert_eq!(framing(b"*2\r\n$2\r\nab\r\n:7\r\n"), [0, 1, 4, 5, 12]);
    }

    #[test]
    fn messages_are_told_from_answers() {
        assert!(is_unasked(b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"));
        assert!(is_unasked(b">1\r\n+invalidate\r\n"));
        assert!(!is_unasked(b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"));
    }
}
