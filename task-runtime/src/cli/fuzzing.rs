//! What must hold of words of the command line and of what it shows, whatever bytes they are.

use super::args::duration;
use super::output::shown;
use super::target::without_password;

/// Part of a password that must not be seen.
const SECRET: &str = "hunter2";

/// A time is read as the same as it is written, or the error says how to write one; nothing that is
/// shown steers a terminal or tells a password.
pub(crate) fn command_line(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match duration(&text) {
        Ok(time) => assert_eq!(duration(&humantime::format_duration(time).to_string()), Ok(time)),
        Err(error) => assert!(error.contains("expected a time such as"), "{error}"),
    }
    let steers = |c: char| c.is_control() && c != '\n' || ('\u{2028}'..='\u{202e}').contains(&c);
    assert!(!shown(&text).contains(steers));
    let urls = [format!("redis://{text}{SECRET}@host:1/0"), format!("redis://:{SECRET}{text}@host:1/0")];
    for url in urls {
        let safe = without_password(&url);
        assert!(!safe.contains(SECRET), "{safe}");
    }
}
