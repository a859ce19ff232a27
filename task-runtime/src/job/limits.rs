//! Every limit of a job, by name.

use std::time::Duration;

/// Longest encoded arguments, in bytes (256 KiB).
pub const MAX_ARGS_BYTES: usize = 256 * 1024;
/// Longest encoded result, in bytes (256 KiB).
pub const MAX_RESULT_BYTES: usize = 256 * 1024;
/// Longest name of a namespace, queue or task, and longest job id, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Longest error text that is kept, in bytes (16 KiB); longer text is cut and marked.
pub const MAX_ERROR_BYTES: usize = 16 * 1024;
/// Longest header line of an envelope, in bytes.
pub const MAX_HEADER_BYTES: usize = 4 * 1024;
/// Longest envelope of a job that can run, in bytes; no broker lends a longer one.
pub const MAX_ENVELOPE_BYTES: usize = MAX_HEADER_BYTES + MAX_ARGS_BYTES;
/// Longest record beside a job, in bytes (128 KiB): an error of the longest kind has less when every
/// byte of it is escaped. A longer one counts as absent.
pub const MAX_STATE_BYTES: usize = 128 * 1024;
/// Deepest nesting of encoded arguments; below the 128 levels at which `serde_json` stops.
pub const MAX_ARGS_DEPTH: usize = 100;
/// Longest delay before a job becomes due (10 years).
pub const MAX_DELAY: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);
/// Longest time limit of one attempt (30 days).
pub const MAX_TIMEOUT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Longest time that a result is kept (30 days).
pub const MAX_RESULT_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Longest pause between two attempts (7 days).
pub const MAX_BACKOFF: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Most attempts of one job.
pub const MAX_ATTEMPTS: u32 = 1_000;
/// Most worker crashes that a job may be given.
pub const MAX_CRASHES: u32 = 100;
/// The highest priority; it is claimed first.
pub const MAX_PRIORITY: u8 = 9;

/// Attempts of a job whose task does not say how many.
pub const DEFAULT_MAX_ATTEMPTS: u32 = 5;
/// Worker crashes that a job may be on board of before it is dead.
pub const DEFAULT_MAX_CRASHES: u32 = 3;
/// Priority of a job whose task does not say one.
pub const DEFAULT_PRIORITY: u8 = 5;
/// Time limit of one attempt of a task that does not say one (30 minutes).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// How long a result is kept for a task that does not say (1 hour).
pub const DEFAULT_RESULT_TTL: Duration = Duration::from_secs(60 * 60);
