//! What is stored under a key: a head that says to which key it belongs and how it is written, and the value.
//!
//! | bytes | hold |
//! |---|---|
//! | 0 | `0xC1`, with which neither text, nor JSON, nor MessagePack begins |
//! | 1 | bits 0-1 the [`Form`], 2-3 the [`Compression`], 4 whether it may be stale, 5 whether it has tags |
//! | 2-9 | a hash of the key |
//! | 10-11 | how many bytes of the head follow |
//! | … | how long it may be stale (8, ms) and what it cost to make (4, ms), if it may |
//! | … | how many tags (1) and of each the length (2), the name and the number (8), if there are any |
//! | … | how long the value is when it is not compressed (4), if it is |
//! | … | the value |
//!
//! All numbers are big-endian. The hash is what tells an answer of the server from one to another request.

use super::compression::Compression;
use super::store::Left;

const MAGIC: u8 = 0xC1;
/// Bytes of every head.
const FIXED: usize = 12;
const FORM: u8 = 0b11;
const COMPRESSION_SHIFT: u8 = 2;
const STALE: u8 = 1 << 4;
const TAGS: u8 = 1 << 5;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json = 0,
    MessagePack = 1,
    /// Decimal digits, whatever the codec is: a script can count them up.
    Integer = 2,
    /// The bytes themselves.
    Bytes = 3,
}

/// What is said of a value beside the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// How long it is kept after its time to live, to be served while it is made anew.
    pub(super) stale: Option<Stale>,
    /// Its tags, with the number that each had when the value was made.
    pub(super) tags: Vec<(String, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stale {
    pub(super) for_ms: u64,
    /// How long it took to make the value.
    pub(super) cost_ms: u32,
}

impl Stale {
    /// Whether its time is not over yet, when so much is left of that of its key.
    pub(super) fn is_fresh(self, left: Left) -> bool {
        match left {
            Left::Missing => false,
            Left::Forever => true,
            Left::Ms(ms) => u64::try_from(ms).is_ok_and(|ms| ms > self.for_ms),
        }
    }
}

/// An entry as it is stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) form: Form,
    pub(super) head: Head,
    pub(super) compression: Compression,
    /// How long the value is when it is not compressed.
    pub(super) length: usize,
    pub(super) value: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Whether these bytes are an entry that was stored under `key`.
    pub(super) fn is_of(key: &str, bytes: &[u8]) -> bool {
        bytes.len() >= FIXED && bytes[0] == MAGIC && bytes[2..10] == mark(key)
    }

    /// What an entry says beside its value; most say nothing.
    pub(super) fn head_of(bytes: &[u8]) -> Option<Head> {
        let says_something = bytes.get(1).is_some_and(|flags| flags & (STALE | TAGS) != 0);
        if says_something { Entry::read(bytes).map(|entry| entry.head) } else { None }
    }

    /// The names of the tags of an entry that was stored under `key`; its head is enough.
    pub(super) fn tags_of(key: &str, bytes: &[u8]) -> Vec<String> {
        let head = if Entry::is_of(key, bytes) { Entry::head_of(bytes) } else { None };
        head.unwrap_or_default().tags.into_iter().map(|(name, _)| name).collect()
    }

    /// Has an entry belong to another key.
    pub(super) fn move_to(key: &str, bytes: &mut [u8]) {
        bytes[2..10].copy_from_slice(&mark(key));
    }

    /// Reads an entry; `None` for bytes that are none.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (fixed, rest) = bytes.split_at_checked(FIXED)?;
        let extra = usize::from(u16::from_be_bytes([fixed[10], fixed[11]]));
        let (extra, value) = rest.split_at_checked(extra)?;
        if fixed[0] != MAGIC {
            return None;
        }
        let mut extra = Extra(extra);
        let form = [Form::Json, Form::MessagePack, Form::Integer, Form::Bytes][usize::from(fixed[1] & FORM)];
        let compression = Compression::of_number((fixed[1] >> COMPRESSION_SHIFT) & 0b11)?;
        let stale = match fixed[1] & STALE {
            0 => None,
            _ => Some(Stale { for_ms: u64::from_be_bytes(extra.take()?), cost_ms: u32::from_be_bytes(extra.take()?) }),
        };
        let mut tags = Vec::new();
        if fixed[1] & TAGS != 0 {
            let [count] = extra.take()?;
            for _ in 0..count {
                tags.push(extra.tag()?);
            }
        }
        let length = match compression {
            Compression::None => value.len(),
            _ => usize::try_from(u32::from_be_bytes(extra.take()?)).ok()?,
        };
        extra.0.is_empty().then_some(Self { form, head: Head { stale, tags }, compression, length, value })
    }

    /// The bytes that stand before the value, with some room for it.
    pub(super) fn start(key: &str, form: Form, compression: Compression, head: &Head, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED + length + 64);
        let stale = if head.stale.is_some() { STALE } else { 0 };
        let tags = if head.tags.is_empty() { 0 } else { TAGS };
        bytes.extend([MAGIC, form as u8 | (compression.number() << COMPRESSION_SHIFT) | stale | tags]);
        bytes.extend(mark(key));
        bytes.extend([0, 0]);
        if let Some(Stale { for_ms, cost_ms }) = head.stale {
            bytes.extend(for_ms.to_be_bytes());
            bytes.extend(cost_ms.to_be_bytes());
        }
        if !head.tags.is_empty() {
            bytes.push(u8::try_from(head.tags.len()).expect("a call takes few tags"));
            for (name, number) in &head.tags {
                bytes.extend(u16::try_from(name.len()).expect("a tag is short").to_be_bytes());
                bytes.extend(name.as_bytes());
                bytes.extend(number.to_be_bytes());
            }
        }
        if compression != Compression::None {
            bytes.extend(u32::try_from(length).expect("the bytes of a value are limited").to_be_bytes());
        }
        let extra = u16::try_from(bytes.len() - FIXED).expect("few tags of few bytes fit");
        bytes[10..12].copy_from_slice(&extra.to_be_bytes());
        bytes
    }
}

/// The part of a head that is there if a flag says so.
struct Extra<'a>(&'a [u8]);

impl Extra<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn tag(&mut self) -> Option<(String, u64)> {
        let length = usize::from(u16::from_be_bytes(self.take()?));
        let (name, rest) = self.0.split_at_checked(length)?;
        let name = String::from_utf8(name.to_vec()).ok()?;
        self.0 = rest;
        Some((name, u64::from_be_bytes(self.take()?)))
    }
}

/// A hash of a key that is the same in every program: FNV-1a of 64 bits (Fowler, Noll, Vo).
fn mark(key: &str) -> [u8; 8] {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    key.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        let stale = Some(Stale { for_ms: 60_000, cost_ms: 7 });
        Head { stale, tags: vec![("user:1".into(), 42), ("ä".repeat(500), u64::MAX)] }
    }

    #[test]
    fn a_head_comes_back_as_it_was() {
        for (head, compression) in
            [(Head::default(), Compression::None), (head(), Compression::None), (head(), Compression::Zstd)]
        {
            let mut bytes = Entry::start("key", Form::Json, compression, &head, 3);
            bytes.extend(b"abc");
            assert!(Entry::is_of("key", &bytes) && !Entry::is_of("kez", &bytes));
            let names: Vec<_> = head.tags.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(Entry::tags_of("key", &bytes[..bytes.len() - 3]), names, "also without its value");
            assert!(Entry::tags_of("kez", &bytes).is_empty());
            let entry = Entry::read(&bytes).unwrap();
            assert_eq!(
                (&entry.head, entry.compression, entry.length, entry.value),
                (&head, compression, 3, &b"abc"[..])
            );
        }
    }

    #[test]
    fn what_is_no_entry_is_told() {
        let bytes = Entry::start("key", Form::Bytes, Compression::Lz4, &head(), 3);
        for cut in 0..bytes.len() {
            assert_eq!(Entry::read(&bytes[..cut]), None, "{cut}");
        }
        for other in [&b""[..], b"{\"a\": 1, \"b\": 2}", b"123456789012345"] {
            assert!(Entry::read(other).is_none() && !Entry::is_of("key", other));
        }
    }
}
