//! What must hold of stored jobs, records and pauses, whatever bytes they are.

use std::time::Duration;

use super::{
    Attempt, Backoff, EndRecord, Envelope, EnvelopeError, Header, MAX_BACKOFF, MAX_ERROR_BYTES, MAX_HEADER_BYTES,
    Outcome, PutBack, Settlement, State, VERSION, Verdict, after_crash, settle,
};

/// An envelope can be read, and what was read is stored as the same again; or the error says what
/// is wrong.
pub(crate) fn envelope(data: &[u8]) {
    let header = Header::decode(data);
    match Envelope::decode(data) {
        Ok(envelope) => {
            assert_eq!(header.as_ref(), Ok(&envelope.header));
            assert!(data.ends_with(&envelope.args), "the arguments are not the end of the envelope");
            let stored = envelope.encode();
            // What serde also takes in a shorter form may be too long in its own.
            if stored.len() - envelope.args.len() <= MAX_HEADER_BYTES {
                assert_eq!(Envelope::decode(&stored), Ok(envelope));
            }
        }
        Err(EnvelopeError::Newer { header: newer }) => {
            assert!(newer.v > VERSION);
            assert_eq!(header, Ok(*newer));
        }
        Err(error @ (EnvelopeError::Malformed { .. } | EnvelopeError::NotLent)) => {
            let text = error.to_string();
            assert!(text.len() > "broken envelope: ".len() && text.starts_with("broken envelope: "), "{text}");
        }
    }
}

/// A record beside a job never keeps it from being settled or recovered; an end record is stored
/// as it was read.
pub(crate) fn records(data: &[u8]) {
    let state = State::decode(Some(data));
    assert_eq!(State::decode(Some(&state.encode())), state);
    if let Ok(record) = EndRecord::decode(data) {
        let again = EndRecord::decode(&record.encode()).expect("what was written can be read");
        let facts = |record: &EndRecord| (record.end, record.attempts, record.duration_ms);
        assert_eq!(facts(&again), facts(&record));
        let value = |record: EndRecord| record.result.map(|value| value.get().to_owned());
        assert_eq!(value(again), value(record));
    }
    for company in [1, 2] {
        let (Verdict::Few(after) | Verdict::Alone(after) | Verdict::Dead(after)) =
            after_crash(state.clone(), company, 3);
        assert_eq!(after.attempts, state.attempts);
    }
    settled(state, &String::from_utf8_lossy(data));
}

/// A failure with this text is tried again or dead, and keeps as much of the text as there is room.
fn settled(state: State, error: &str) {
    let attempt = Attempt {
        state,
        priority: 5,
        max_attempts: 5,
        back: PutBack::Ready(5),
        backoff: Backoff::DEFAULT,
        result_ttl: Duration::ZERO,
        duration: Duration::ZERO,
    };
    let (Settlement::Retry { state, .. } | Settlement::Dead { state }) =
        settle(Outcome::Failed(error.to_owned()), &attempt, 0.5)
    else {
        panic!("a failure is tried again or dead");
    };
    let kept = State::decode(Some(&state)).error.expect("the error is kept");
    if error.len() <= MAX_ERROR_BYTES {
        assert_eq!(kept, error);
    } else {
        assert!(kept.len() <= MAX_ERROR_BYTES && kept.ends_with("(cut)"), "{} bytes", kept.len());
    }
}

/// Stored pauses are stored as the same again, and none is longer than the limit.
pub(crate) fn backoff(data: &[u8]) {
    let Ok(backoff) = serde_json::from_slice::<Backoff>(data) else { return };
    let stored = serde_json::to_vec(&backoff).expect("pauses hold only numbers");
    assert_eq!(serde_json::from_slice::<Backoff>(&stored).expect("what was written can be read"), backoff);
    for attempts in [0, 1, 2, 31, 32, 33, 1_000, u32::MAX] {
        let longest = backoff.delay(attempts, 1.0);
        assert!(longest <= MAX_BACKOFF, "{longest:?}");
        for draw in [-1.0, 0.0, 0.5, 2.0] {
            assert!(backoff.delay(attempts, draw) <= longest);
        }
    }
}
