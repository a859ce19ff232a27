//! Answers of a server, RESP2, out of the bytes that come.

use redis::Value;

use super::Gone;

/// Longest line: a number, a status or an error, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// Longest value, in bytes; no server stores longer ones unless it is told to.
const MAX_VALUE: usize = 512 * 1024 * 1024;
/// Most values of one answer.
const MAX_VALUES: usize = i32::MAX as usize;
/// How deep arrays may stand in each other; those of scripts stand in three.
const MAX_DEPTH: usize = 32;
const END: &[u8; 2] = b"\r\n";

/// Finds where the next frame ends, in however many pieces it comes; what is known of it is not looked at again.
pub(crate) struct Frames {
    /// Where the next item of the frame begins.
    at: usize,
    /// Items that are still to come.
    items: usize,
    /// How long the frame is at least.
    least: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self { at: 0, items: 1, least: 0 }
    }
}

impl Frames {
    /// The length of the frame at the beginning of `bytes`, which are those of the last call and more, once it is
    /// complete.
    pub(crate) fn next(&mut self, bytes: &[u8]) -> Result<Option<usize>, Gone> {
        while self.items > 0 {
            let Some(item) = Item::at(bytes, self.at)? else { return Ok(None) };
            self.at = match item.kind {
                b'$' => {
                    // What is not there has no bytes, nor an end of them.
                    let length = length(item.line, MAX_VALUE)?.map_or(0, |length| length + END.len());
                    let end = item.end + length;
                    if bytes.len() < end {
                        self.least = end;
                        return Ok(None);
                    }
                    if bytes[..end].last_chunk() != Some(END) {
                        return Err(damaged());
                    }
                    end
                }
                b'*' => {
                    self.items = self.items.saturating_add(length(item.line, MAX_VALUES)?.unwrap_or(0));
                    item.end
                }
                b'+' | b'-' | b':' => item.end,
                _ => return Err(damaged()),
            };
            self.items -= 1;
        }
        let whole = std::mem::take(self);
        Ok(Some(whole.at))
    }

    /// How many bytes are known to miss, when there are `length`.
    pub(super) fn missing(&self, length: usize) -> usize {
        self.least.saturating_sub(length)
    }
}

/// Reads a whole frame.
pub(crate) fn read(frame: &[u8]) -> Result<Value, Gone> {
    value(frame, &mut 0, 0)
}

fn value(frame: &[u8], at: &mut usize, depth: usize) -> Result<Value, Gone> {
    let start = *at;
    let Item { kind, line, end } = Item::at(frame, start)?.ok_or_else(damaged)?;
    *at = end;
    match kind {
        b':' => Ok(Value::Int(number(line)?)),
        b'$' => {
            let Some(length) = length(line, MAX_VALUE)? else { return Ok(Value::Nil) };
            let bytes = frame.get(end..end + length).ok_or_else(damaged)?;
            *at = end + length + END.len();
            Ok(Value::BulkString(bytes.to_vec()))
        }
        b'*' => match length(line, MAX_VALUES)? {
            Some(_) if depth == MAX_DEPTH => Err(damaged()),
            Some(length) => {
                (0..length).map(|_| value(frame, at, depth + 1)).collect::<Result<_, _>>().map(Value::Array)
            }
            None => Ok(Value::Nil),
        },
        b'+' if line == b"OK" => Ok(Value::Okay),
        b'+' => String::from_utf8(line.to_vec()).map(Value::SimpleString).map_err(|_| damaged()),
        b'-' => redis::parse_redis_value(&frame[start..end]).map_err(|_| damaged()),
        _ => Err(damaged()),
    }
}

/// The first line of an answer, or of a part of one.
struct Item<'a> {
    kind: u8,
    line: &'a [u8],
    /// Where what follows begins.
    end: usize,
}

impl<'a> Item<'a> {
    /// The one that begins at `at`, once its line is complete.
    fn at(bytes: &'a [u8], at: usize) -> Result<Option<Self>, Gone> {
        let Some((kind, rest)) = bytes.get(at..).and_then(<[u8]>::split_first) else { return Ok(None) };
        let Some(length) = rest.iter().take(MAX_LINE).position(|byte| *byte == END[0]) else {
            return if rest.len() < MAX_LINE { Ok(None) } else { Err(damaged()) };
        };
        match rest.get(length + 1) {
            Some(byte) if *byte == END[1] => {
                Ok(Some(Self { kind: *kind, line: &rest[..length], end: at + 1 + length + END.len() }))
            }
            Some(_) => Err(damaged()),
            None => Ok(None),
        }
    }
}

/// The length of a value or an array; none of what is not there.
fn length(line: &[u8], most: usize) -> Result<Option<usize>, Gone> {
    match number(line)? {
        -1 => Ok(None),
        length => usize::try_from(length).ok().filter(|length| *length <= most).map(Some).ok_or_else(damaged),
    }
}

fn number(line: &[u8]) -> Result<i64, Gone> {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).ok_or_else(damaged)
}

fn damaged() -> Gone {
    Gone("an answer came that cannot be read".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: [&[u8]; 12] = [
        b"+OK\r\n",
        b"+PONG\r\n",
        b":-12\r\n",
        b"$-1\r\n",
        b"$0\r\n\r\n",
        b"$4\r\na\r\nb\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"*2\r\n*2\r\n:1\r\n$1\r\na\r\n$1\r\n7\r\n",
        b"*3\r\n$-1\r\n*0\r\n+OK\r\n",
        b"-OOM command not allowed\r\n",
        b"*1\r\n-WRONGTYPE of a member\r\n",
    ];

    #[test]
    fn an_answer_is_read_in_however_many_pieces_it_comes() {
        for answer in ANSWERS {
            let expected = redis::parse_redis_value(answer).unwrap();
            for size in 1..=answer.len() {
                let (mut frames, mut came) = (Frames::default(), Vec::new());
                // The one behind it is not looked at.
                for piece in [answer, b"$"].concat().chunks(size) {
                    came.extend_from_slice(piece);
                    match frames.next(&came).unwrap() {
                        Some(length) => {
                            assert_eq!((length, read(&came[..length]).unwrap()), (answer.len(), expected.clone()));
                            break;
                        }
                        None => assert!(came.len() < answer.len(), "{expected:?} is complete"),
                    }
                }
            }
        }
    }

    #[test]
    fn what_no_server_says_is_refused() {
        let long = format!("+{}\r\n", "x".repeat(MAX_LINE));
        let deep = format!("{}:1\r\n", "*1\r\n".repeat(MAX_DEPTH + 1));
        let wrong: [&[u8]; 10] = [
            b"x\r\n",
            b"$-2\r\n",
            b"$x\r\n",
            b"$1\r\nab\r\n",
            b"*536870912000\r\n",
            b":\r\n",
            b":1\rx\n",
            b"+\xff\r\n",
            long.as_bytes(),
            deep.as_bytes(),
        ];
        for bytes in wrong {
            let read = Frames::default().next(bytes).and_then(|length| read(&bytes[..length.unwrap()]));
            assert!(read.is_err(), "{:?}", &bytes[..bytes.len().min(20)]);
        }
    }

    #[test]
    fn a_long_value_tells_how_much_of_it_misses() {
        let mut frames = Frames::default();
        assert!(frames.next(b"*2\r\n:1\r\n$100\r\nab").unwrap().is_none());
        assert_eq!(frames.missing(16), 14 + 100 + 2 - 16);
        assert_eq!(frames.missing(1_000), 0);
    }
}
