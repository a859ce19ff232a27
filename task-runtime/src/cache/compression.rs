//! How values are made smaller.

/// How values are compressed that are long enough for it.
///
/// Each value says how it was compressed, so that a cache whose setting changes reads what it wrote before. To read one,
/// the program needs the cargo feature of its compression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Zstandard at level 3: small. Needs the cargo feature `cache-zstd`.
    Zstd,
    /// LZ4: quick. Needs the cargo feature `cache-lz4`.
    Lz4,
}

/// The level of Zstandard, its own default.
#[cfg(feature = "cache-zstd")]
const ZSTD_LEVEL: i32 = 3;

impl Compression {
    pub(super) fn number(self) -> u8 {
        self as u8
    }

    pub(super) fn of_number(number: u8) -> Option<Self> {
        [Self::None, Self::Zstd, Self::Lz4].get(usize::from(number)).copied()
    }

    /// The cargo feature that is missing, if one is.
    pub(super) fn missing_feature(self) -> Option<&'static str> {
        match self {
            Self::Zstd if cfg!(not(feature = "cache-zstd")) => Some("cache-zstd"),
            Self::Lz4 if cfg!(not(feature = "cache-lz4")) => Some("cache-lz4"),
            _ => None,
        }
    }

    /// Appends the bytes to `to`, compressed; `false`, with nothing appended, when that would not make them smaller.
    pub(super) fn compress(self, bytes: &[u8], to: &mut Vec<u8>) -> bool {
        let small: Option<Vec<u8>> = match self {
            #[cfg(feature = "cache-zstd")]
            Self::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL).ok(),
            #[cfg(feature = "cache-lz4")]
            Self::Lz4 => Some(lz4_flex::block::compress(bytes)),
            _ => None,
        };
        let small = small.filter(|small| small.len() < bytes.len());
        to.extend(small.iter().flatten());
        small.is_some()
    }

    /// The bytes as they were; there are `length` of them.
    pub(super) fn decompress(self, bytes: &[u8], length: usize) -> Result<Vec<u8>, String> {
        let plain: Result<Vec<u8>, String> = match self {
            Self::None => Ok(bytes.to_vec()),
            #[cfg(feature = "cache-zstd")]
            Self::Zstd => zstd::bulk::decompress(bytes, length).map_err(|error| error.to_string()),
            #[cfg(feature = "cache-lz4")]
            Self::Lz4 => lz4_flex::block::decompress(bytes, length).map_err(|error| error.to_string()),
            #[cfg(not(all(feature = "cache-zstd", feature = "cache-lz4")))]
            other => Err(format!(
                "it is compressed, and needs the cargo feature `{}`",
                other.missing_feature().unwrap_or_default()
            )),
        };
        plain.and_then(|plain| if plain.len() == length { Ok(plain) } else { Err("it has another length".into()) })
    }
}

#[cfg(all(test, feature = "cache-zstd", feature = "cache-lz4"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back() {
        let text = "the same again, ".repeat(100);
        for compression in [Compression::Zstd, Compression::Lz4] {
            let mut small = Vec::new();
            assert!(compression.compress(text.as_bytes(), &mut small) && small.len() < 200);
            assert_eq!(compression.decompress(&small, text.len()).unwrap(), text.as_bytes());
            assert!(compression.decompress(&small, text.len() - 1).is_err());
            assert!(compression.decompress(&small[..small.len() - 1], text.len()).is_err());
            assert!(!compression.compress(&[1, 2, 3], &mut small), "it would be longer");
        }
    }
}
