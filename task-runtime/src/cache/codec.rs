//! How values become bytes, and what they are read from again.

use std::any::type_name;
use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::compression::Compression;
use super::entry::{Entry, Form, Head};
use super::error::{CacheError, argument};

/// How values are written. Each value says it, so that a cache whose setting changes reads what it wrote before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Codec {
    /// JSON, which people and other programs can read.
    #[default]
    Json,
    /// MessagePack, with the names of fields: shorter, and bytes cost no more than they are. Needs the cargo feature
    /// `cache-msgpack`.
    MessagePack,
}

/// How the values of a cache are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writing {
    pub(super) codec: Codec,
    pub(super) compression: Compression,
    /// Values of so many bytes and more are compressed.
    pub(super) compress_from: usize,
    pub(super) max_value_bytes: usize,
}

impl Writing {
    /// The entry of a value; `key` is the one on the server, `name` the one of the program.
    pub(super) fn write<T>(&self, key: &str, name: &str, value: &T, head: &Head) -> Result<Vec<u8>, CacheError>
    where
        T: Serialize + ?Sized,
    {
        let encode = |fault: String| CacheError::Encode { key: name.to_owned(), fault };
        let mut entry = Entry::start(key, self.form(), Compression::None, head, 0);
        let start = entry.len();
        match self.codec {
            Codec::Json => serde_json::to_writer(&mut entry, value).map_err(|error| encode(error.to_string()))?,
            #[cfg(feature = "cache-msgpack")]
            Codec::MessagePack => {
                let mut writer = rmp_serde::Serializer::new(&mut entry).with_struct_map();
                value.serialize(&mut writer).map_err(|error| encode(error.to_string()))?;
                if let Some(number) = whole_number(&entry[start..]) {
                    entry = Entry::start(key, Form::Integer, Compression::None, head, 0);
                    entry.extend(number.to_string().as_bytes());
                }
            }
            #[cfg(not(feature = "cache-msgpack"))]
            Codec::MessagePack => return Err(encode("it needs the cargo feature `cache-msgpack`".into())),
        }
        self.finish(key, self.form(), head, entry, start)
    }

    /// The entry of bytes that are stored as they are.
    pub(super) fn write_bytes(&self, key: &str, bytes: &[u8], head: &Head) -> Result<Vec<u8>, CacheError> {
        let mut entry = Entry::start(key, Form::Bytes, Compression::None, head, bytes.len());
        let start = entry.len();
        entry.extend(bytes);
        self.finish(key, Form::Bytes, head, entry, start)
    }

    fn form(&self) -> Form {
        match self.codec {
            Codec::Json => Form::Json,
            Codec::MessagePack => Form::MessagePack,
        }
    }

    fn finish(&self, key: &str, form: Form, head: &Head, plain: Vec<u8>, start: usize) -> Result<Vec<u8>, CacheError> {
        let length = plain.len() - start;
        if length > self.max_value_bytes {
            let most = format!("{} bytes at most; raise `max_value_bytes`, or store less", self.max_value_bytes);
            return Err(argument("a value", format!("{length} bytes"), most));
        }
        if self.compression != Compression::None && length >= self.compress_from {
            let mut small = Entry::start(key, form, self.compression, head, length);
            if self.compression.compress(&plain[start..], &mut small) {
                return Ok(small);
            }
        }
        Ok(plain)
    }
}

/// The value of an entry; `name` is the key of the program.
pub(super) fn read<T: DeserializeOwned>(name: &str, entry: &Entry, most: usize) -> Result<T, CacheError> {
    let decode = |fault: String| CacheError::Decode { key: name.to_owned(), wanted: type_name::<T>(), fault };
    let value = plain(entry, most).map_err(decode)?;
    match entry.form {
        // What serde says may repeat the value, which is not for the log.
        Form::Json | Form::Integer => serde_json::from_slice(&value).map_err(|error| {
            decode(format!("{:?} at column {} of {} bytes", error.classify(), error.column(), value.len()))
        }),
        #[cfg(feature = "cache-msgpack")]
        Form::MessagePack => rmp_serde::from_slice(&value).map_err(|error| match error {
            rmp_serde::decode::Error::InvalidMarkerRead(_) | rmp_serde::decode::Error::InvalidDataRead(_) => {
                decode(format!("the MessagePack of {} bytes ends too soon", value.len()))
            }
            _ => decode(format!("the MessagePack of {} bytes is of another type", value.len())),
        }),
        #[cfg(not(feature = "cache-msgpack"))]
        Form::MessagePack => Err(decode("it is MessagePack, which needs the cargo feature `cache-msgpack`".into())),
        Form::Bytes => Err(decode("it holds bytes, which `get_bytes` reads".into())),
    }
}

/// The bytes of an entry that was written as such.
pub(super) fn read_bytes(name: &str, entry: &Entry, most: usize) -> Result<Vec<u8>, CacheError> {
    let decode = |fault: String| CacheError::Decode { key: name.to_owned(), wanted: "bytes", fault };
    match entry.form {
        Form::Bytes => plain(entry, most).map(Cow::into_owned).map_err(decode),
        _ => Err(decode("it holds a value, which `get` reads".into())),
    }
}

fn plain<'a>(entry: &Entry<'a>, most: usize) -> Result<Cow<'a, [u8]>, String> {
    match entry.compression {
        Compression::None => Ok(Cow::Borrowed(entry.value)),
        // A few bytes can say that they are gigabytes.
        _ if entry.length > most => Err(format!("it has {} bytes, more than `max_value_bytes`, {most}", entry.length)),
        compression => compression.decompress(entry.value, entry.length).map(Cow::Owned),
    }
}

/// The number that MessagePack holds, if it holds nothing but a whole one that fits.
#[cfg(feature = "cache-msgpack")]
fn whole_number(bytes: &[u8]) -> Option<i64> {
    let is_number = matches!(bytes.first()?, 0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff);
    is_number.then(|| rmp_serde::from_slice(bytes).ok()).flatten()
}

#[cfg(all(test, feature = "cache-msgpack", feature = "cache-zstd"))]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Page {
        title: String,
        visits: Vec<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    }

    fn page() -> Page {
        Page { title: "long ".repeat(100), visits: vec![0, 1, u64::MAX], note: None }
    }

    fn writing(codec: Codec, compression: Compression) -> Writing {
        Writing { codec, compression, compress_from: 100, max_value_bytes: 10_000 }
    }

    #[test]
    fn what_is_written_in_any_way_comes_back() {
        for codec in [Codec::Json, Codec::MessagePack] {
            for compression in [Compression::None, Compression::Zstd] {
                let bytes = writing(codec, compression).write("p:1:k", "k", &page(), &Head::default()).unwrap();
                assert_eq!(bytes.len() < 300, compression == Compression::Zstd);
                assert_eq!(read::<Page>("k", &Entry::read(&bytes).unwrap(), 10_000).unwrap(), page());
            }
        }
    }

    #[test]
    fn whole_numbers_are_digits_in_every_codec() {
        for codec in [Codec::Json, Codec::MessagePack] {
            for number in [0_i64, 7, -1, 300, i64::MAX, i64::MIN] {
                let bytes = writing(codec, Compression::None).write("p:1:k", "k", &number, &Head::default()).unwrap();
                let entry = Entry::read(&bytes).unwrap();
                assert_eq!(entry.value, number.to_string().as_bytes());
                assert_eq!(read::<i64>("k", &entry, 100).unwrap(), number);
            }
        }
        let bytes = writing(Codec::MessagePack, Compression::None).write("p:1:k", "k", &u64::MAX, &Head::default());
        assert_eq!(read::<u64>("k", &Entry::read(&bytes.unwrap()).unwrap(), 100).unwrap(), u64::MAX);
    }

    #[test]
    fn a_value_that_is_too_long_is_refused_in_both_directions() {
        let writing = writing(Codec::Json, Compression::Zstd);
        let error = writing.write("p:1:k", "k", &"x".repeat(10_000), &Head::default()).unwrap_err();
        assert!(error.to_string().contains("10002 bytes, expected 10000 bytes at most"), "{error}");
        let bytes = writing.write("p:1:k", "k", &"x".repeat(9_000), &Head::default()).unwrap();
        let error = read::<String>("k", &Entry::read(&bytes).unwrap(), 100).unwrap_err();
        assert!(error.to_string().contains("more than `max_value_bytes`"), "{error}");
    }

    #[test]
    fn another_type_is_an_error_without_the_value() {
        let bytes = writing(Codec::Json, Compression::None).write("p:1:k", "k", "secret", &Head::default()).unwrap();
        let error = read::<Page>("k", &Entry::read(&bytes).unwrap(), 100).unwrap_err().to_string();
        assert!(error.contains("Page") && !error.contains("secret"), "{error}");
    }
}
