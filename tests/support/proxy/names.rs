//! What a request is called: its command, or the script that it runs.

use std::collections::HashMap;

use sha1_smol::Sha1;

use super::resp::words;

/// What a server says to a digest that it does not know.
const NO_SCRIPT: &str = "-NOSCRIPT No matching script. Please use EVAL.";

/// The scripts that passed by, by their digest.
///
/// A digest that is not known is answered in the server's place, so that the client sends the text, whose comment
/// says what it is: whatever the server has loaded before, every script has a name.
#[derive(Debug, Default)]
pub(super) struct Names {
    scripts: HashMap<Vec<u8>, String>,
}

impl Names {
    /// The name of a request, or the answer that has the client tell it.
    pub(super) fn of(&mut self, frame: &[u8]) -> Result<String, String> {
        let words = words(frame, 3);
        let word = |at: usize| words.get(at).copied().unwrap_or_default();
        let command = String::from_utf8_lossy(word(0)).to_ascii_uppercase();
        match &*command {
            "EVALSHA" | "EVALSHA_RO" => {
                let digest = word(1).to_ascii_lowercase();
                self.scripts.get(&digest).cloned().ok_or_else(|| NO_SCRIPT.into())
            }
            "EVAL" | "EVAL_RO" => Ok(self.learn(word(1))),
            "SCRIPT" if word(1).eq_ignore_ascii_case(b"LOAD") => {
                self.learn(word(2));
                Ok(command)
            }
            _ => Ok(command),
        }
    }

    fn learn(&mut self, source: &[u8]) -> String {
        let digest = Sha1::from(source).digest().to_string().into_bytes();
        self.scripts.entry(digest).or_insert_with(|| name(source).unwrap_or_else(|| "EVAL".into())).clone()
    }
}

/// The name that stands at the head of the comment that declares the keys: `-- turn: settles …`.
fn name(source: &[u8]) -> Option<String> {
    let source = String::from_utf8_lossy(source);
    let lines: Vec<_> = source.lines().collect();
    let declares = lines.iter().position(|line| line.starts_with("-- KEYS: "))?;
    let first = lines[..declares].iter().rposition(|line| !line.starts_with("--")).map_or(0, |before| before + 1);
    let (name, _) = lines[first].strip_prefix("-- ")?.split_once(':')?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_named_by_the_comment_that_declares_its_keys() {
        let source = b"#!lua\nlocal a = 1\n-- wake(n): some.\n-- Needs KEYS: wake.\nlocal b\n-- turn: does\n-- much.\n-- KEYS: a\nreturn 1";
        assert_eq!(name(source).as_deref(), Some("turn"));
        assert_eq!(name(b"return 1"), None);
    }

    #[test]
    fn a_digest_is_known_once_its_text_came_by() {
        let mut names = Names::default();
        let by_digest = b"*2\r\n$7\r\nevalsha\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db\r\n";
        assert_eq!(names.of(by_digest), Err(NO_SCRIPT.into()));
        assert_eq!(names.of(b"*2\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n"), Ok("EVAL".into()));
        assert_eq!(names.of(by_digest), Ok("EVAL".into()));
        assert_eq!(names.of(b"*1\r\n$4\r\nping\r\n"), Ok("PING".into()));
    }
}
