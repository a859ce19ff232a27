//! The stored form of a job: one line of header, then its arguments.
//!
//! ```text
//! {"v":1,"task":"send_email","priority":7}⏎
//! {"to":"a@b.c","subject":"Hi"}
//! ```
//!
//! The header is one line of JSON that every version of this crate can read, because any worker
//! may have to recover any job; a reader ignores fields that it does not know. The rest is the
//! arguments, JSON in version 1, which nothing but the task itself decodes: numbers beyond 2⁵³ and
//! `[]` arrive as they were sent. The id is the field under which the envelope is stored.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::retry::millis_option;
use super::{
    Backoff, DEFAULT_MAX_CRASHES, DEFAULT_PRIORITY, JobOptions, MAX_ENVELOPE_BYTES, MAX_HEADER_BYTES, MAX_PRIORITY,
};

/// The version that this crate writes, and the newest that it can run.
pub const VERSION: u32 = 1;

/// The first line of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the form of the arguments.
    pub v: u32,
    /// Name of the task.
    pub task: String,
    /// When the job was enqueued, in milliseconds since 1970 by the caller's clock; absent when
    /// the id tells.
    pub created_ms: Option<i64>,
    /// 0 to 9; absent when it is the default.
    pub priority: Option<u8>,
    /// Crashes after which the job is dead; absent when it is the default.
    pub max_crashes: Option<u32>,
    /// What the call overrode.
    pub options: JobOptions,
    /// W3C `traceparent` of the caller.
    pub traceparent: Option<String>,
}

/// The header as it is written: the options stand among the other fields. (Serde's `flatten` reads
/// every field into a tree of its own first, several times slower.)
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    v: u32,
    #[serde(borrow)]
    task: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_crashes: Option<u32>,
    #[serde(with = "millis_option", default, skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backoff: Option<Cow<'a, Backoff>>,
    #[serde(with = "millis_option", default, skip_serializing_if = "Option::is_none")]
    result_ttl_ms: Option<Duration>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    trace: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Header> for Line<'a> {
    fn from(header: &'a Header) -> Self {
        Self {
            v: header.v,
            task: (&header.task).into(),
            at: header.created_ms,
            priority: header.priority,
            max_crashes: header.max_crashes,
            timeout_ms: header.options.timeout,
            max_attempts: header.options.max_attempts,
            backoff: header.options.backoff.as_ref().map(Cow::Borrowed),
            result_ttl_ms: header.options.result_ttl,
            trace: header.traceparent.as_deref().map(Cow::Borrowed),
        }
    }
}

impl From<Line<'_>> for Header {
    fn from(line: Line<'_>) -> Self {
        Self {
            v: line.v,
            task: line.task.into_owned(),
            created_ms: line.at,
            priority: line.priority,
            max_crashes: line.max_crashes,
            options: JobOptions {
                timeout: line.timeout_ms,
                max_attempts: line.max_attempts,
                backoff: line.backoff.map(Cow::into_owned),
                result_ttl: line.result_ttl_ms,
            },
            traceparent: line.trace.map(Cow::into_owned),
        }
    }
}

impl Header {
    /// The priority to which the job goes: its own, within what is allowed, else the default.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.priority.unwrap_or(DEFAULT_PRIORITY).min(MAX_PRIORITY)
    }

    /// Crashes after which the job is dead: its own number, else the default.
    #[must_use]
    pub fn max_crashes(&self) -> u32 {
        self.max_crashes.unwrap_or(DEFAULT_MAX_CRASHES)
    }

    /// A header of version 1 that overrides nothing.
    #[must_use]
    pub fn new(task: impl Into<String>) -> Self {
        Self {
            v: VERSION,
            task: task.into(),
            created_ms: None,
            priority: None,
            max_crashes: None,
            options: JobOptions::default(),
            traceparent: None,
        }
    }

    /// Reads the header of an envelope of any version; whatever follows its line is not looked at.
    ///
    /// # Errors
    /// [`EnvelopeError`] says what is wrong with the first line.
    pub fn decode(envelope: &[u8]) -> Result<Self, EnvelopeError> {
        split(envelope).and_then(|(header, _)| parse(header))
    }
}

/// A whole job as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The first line.
    pub header: Header,
    /// The arguments, in the form that the version says.
    pub args: Vec<u8>,
}

impl Envelope {
    /// The stored bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128 + self.args.len());
        serde_json::to_writer(&mut bytes, &Line::from(&self.header))
            .expect("a header holds only numbers and text, which JSON can always say");
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.args);
        bytes
    }

    /// Reads stored bytes of a version that this crate can run.
    ///
    /// # Errors
    /// [`EnvelopeError::Malformed`] when the first line is not a header,
    /// [`EnvelopeError::Newer`] when a newer version of this crate wrote it,
    /// [`EnvelopeError::NotLent`] when there are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Self::open(bytes.to_vec())
    }

    /// As [`decode`](Self::decode); the arguments stay in the buffer that they came in.
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode).
    pub fn open(mut bytes: Vec<u8>) -> Result<Self, EnvelopeError> {
        if bytes.is_empty() {
            return Err(EnvelopeError::NotLent);
        }
        let (line, _) = split(&bytes)?;
        let (header, end) = (parse(line)?, line.len());
        if header.v > VERSION {
            return Err(EnvelopeError::Newer { header: Box::new(header) });
        }
        bytes.drain(..=end);
        Ok(Self { header, args: bytes })
    }
}

fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), EnvelopeError> {
    let head = &bytes[..bytes.len().min(MAX_HEADER_BYTES)];
    let Some(end) = head.iter().position(|byte| *byte == b'\n') else {
        return Err(EnvelopeError::malformed(format_args!("no end of line within its first {MAX_HEADER_BYTES} bytes")));
    };
    Ok((&bytes[..end], &bytes[end + 1..]))
}

fn parse(line: &[u8]) -> Result<Header, EnvelopeError> {
    let line: Line = serde_json::from_slice(line).map_err(EnvelopeError::malformed)?;
    if line.v == 0 {
        return Err(EnvelopeError::malformed("version 0 does not exist"));
    }
    Ok(line.into())
}

/// Why stored bytes are not a job that can run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// The first line is not a header.
    Malformed {
        /// What is wrong with it.
        fault: String,
    },
    /// A newer version of this crate wrote the arguments; the header can be read all the same.
    Newer {
        /// The header.
        header: Box<Header>,
    },
    /// There are no bytes: the envelope is longer than any that a client of ours writes, so that no
    /// broker lends it, or another program stored nothing.
    NotLent,
}

impl EnvelopeError {
    fn malformed(fault: impl fmt::Display) -> Self {
        Self::Malformed { fault: fault.to_string() }
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { fault } => {
                write!(f, "broken envelope: its first line is not a header ({fault})")
            }
            Self::NotLent => {
                write!(f, "broken envelope: it is empty, or too long to be lent: more than {MAX_ENVELOPE_BYTES} bytes")
            }
            Self::Newer { header } => write!(
                f,
                "envelope version {} of task `{}` is newer than {VERSION}, the newest known here",
                header.v, header.task
            ),
        }
    }
}

impl std::error::Error for EnvelopeError {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::job::Backoff;

    /// What other versions and languages may rely on: these bytes never change.
    #[test]
    fn golden_vectors() {
        let plain = Header::new("send_email");
        let full = Header {
            created_ms: Some(1_700_000_000_123),
            priority: Some(7),
            max_crashes: Some(1),
            options: JobOptions {
                timeout: Some(Duration::from_secs(30)),
                max_attempts: Some(3),
                backoff: Some(Backoff::constant(Duration::from_secs(5))),
                result_ttl: Some(Duration::from_secs(60)),
            },
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            ..Header::new("emails:send")
        };
        let vectors = [
            (plain, "{}", "{\"v\":1,\"task\":\"send_email\"}\n{}"),
            (
                full,
                "{\"n\":18446744073709551615,\"list\":[]}",
                concat!(
                    "{\"v\":1,\"task\":\"emails:send\",\"at\":1700000000123,\"priority\":7,",
                    "\"max_crashes\":1,\"timeout_ms\":30000,\"max_attempts\":3,",
                    "\"backoff\":{\"constant\":{\"ms\":5000}},\"result_ttl_ms\":60000,",
                    "\"trace\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}\n",
                    "{\"n\":18446744073709551615,\"list\":[]}"
                ),
            ),
        ];
        for (header, args, bytes) in vectors {
            let envelope = Envelope { header, args: args.into() };
            assert_eq!(String::from_utf8(envelope.encode()).unwrap(), bytes);
            assert_eq!(Envelope::decode(bytes.as_bytes()).unwrap(), envelope);
        }
    }

    #[test]
    fn a_newer_version_is_refused_by_name_and_its_header_is_readable() {
        let bytes = b"{\"v\":2,\"task\":\"t\",\"codec\":\"cbor\",\"max_crashes\":9}\n\xff\x00";
        assert_eq!(Header::decode(bytes).unwrap().max_crashes, Some(9));
        let error = Envelope::decode(bytes).unwrap_err();
        assert!(error.to_string().contains("version 2 of task `t` is newer than 1"), "{error}");
    }

    #[test]
    fn broken_bytes_are_an_error_that_says_what_is_wrong() {
        let long = [b'x'; 2 * MAX_HEADER_BYTES];
        let cases: [&[u8]; 6] = [b"", b"{}", b"\n", b"[]\n", b"{\"v\":0,\"task\":\"t\"}\n{}", &long];
        for bytes in cases {
            let error = Envelope::decode(bytes).unwrap_err().to_string();
            assert!(error.starts_with("broken envelope: "), "{error}");
        }
        assert!(Envelope::decode(b"{\"v\":1,\"task\":\"\xff\"}\n{}").is_err());
    }

    #[test]
    fn arguments_of_any_bytes_survive() {
        let envelope = Envelope { header: Header::new("t"), args: vec![0, 255, b'\n', 0x80] };
        assert_eq!(Envelope::decode(&envelope.encode()).unwrap(), envelope);
    }
}
