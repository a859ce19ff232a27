//! A request and the number by which its answer is known from all others.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, OnceLock};

use redis::{Arg, Cmd, Value, cmd};

use super::wire::{Gone, Wire};

/// Why what came is no answer to the request.
///
/// The connection that brought it is given up with all that is under way on it: answers come in the
/// order of the requests and say nothing of whose they are, so that after one that is doubled, lost
/// or damaged each further one would go to the wrong caller.
#[derive(Debug)]
pub(crate) struct Malformed(pub(crate) String);

/// A command with its number.
pub(crate) struct Request {
    command: Cmd,
    /// Made up when it is needed; what is marked hardly ever does.
    number: OnceLock<String>,
    proof: Proof,
}

/// By what an answer is known to be the one to the request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// A script finds the number behind its arguments and returns it behind its answer.
    Number,
    /// What other commands answer bears none: an `ECHO` of the number goes along behind them.
    Echo,
    /// What is stored says itself to which key it belongs, and whoever reads it looks. Only if that is not so, an
    /// `ECHO` follows: then it is the answer, and others have stored it.
    Content,
}

impl Request {
    /// The call of a script that returns `{answer, number}`.
    pub(crate) fn script(mut command: Cmd) -> Self {
        let number = next_number();
        command.arg(&number);
        Self { command, number: number.into(), proof: Proof::Number }
    }

    /// Any other command.
    pub(crate) fn plain(command: Cmd) -> Self {
        Self { command, number: OnceLock::new(), proof: Proof::Echo }
    }

    /// A command whose answer is nothing, or says by what it holds that it is the one: half the commands of a plain
    /// one. Whoever reads it says `Malformed` of any other, which is [`Fault::Foreign`](super::Fault::Foreign) when it
    /// came in its place.
    #[cfg(feature = "cache")]
    pub(crate) fn marked(command: Cmd) -> Self {
        Self { command, number: OnceLock::new(), proof: Proof::Content }
    }

    pub(crate) fn command(&self) -> &Cmd {
        &self.command
    }

    /// Whether it carries the source of its script, so that no server can answer that it lacks it.
    pub(super) fn brings_script(&self) -> bool {
        self.command.args_iter().next() == Some(Arg::Simple(b"EVAL"))
    }

    /// Sends it, with `ASKING` ahead of it if that is asked, and waits for the answer, which may be an
    /// error of the server.
    pub(super) async fn ask(&self, wire: &Wire, asking: bool) -> Result<Result<Value, Malformed>, Gone> {
        let echo = (asking || self.proof == Proof::Echo).then(|| self.echo());
        // Both in one go: it counts for the next command of the connection, whoever sends it.
        let asks = asking.then(|| cmd("ASKING"));
        let commands: Vec<&Cmd> = asks.iter().chain([&self.command]).chain(&echo).collect();
        let mut answers = wire.ask(&commands).await?;
        let echoed = match echo {
            Some(_) => self.echoed(answers.pop().unwrap_or(Value::Nil)),
            None => Ok(()),
        };
        let answer = answers.pop().unwrap_or(Value::Nil);
        Ok(echoed.and_then(|()| if self.proof == Proof::Number { self.numbered(answer) } else { Ok(answer) }))
    }

    /// Whether who reads the answer tells by what it holds that it is another.
    pub(super) fn is_marked(&self) -> bool {
        self.proof == Proof::Content
    }

    /// Whether an answer that bears no number, an error for example, came in its place: then the next is in its own.
    pub(super) async fn confirm(&self, wire: &Wire) -> Result<Result<(), Malformed>, Gone> {
        if self.proof == Proof::Echo {
            // An echo came with it.
            return Ok(Ok(()));
        }
        let answer = wire.ask(&[&self.echo()]).await?.pop();
        Ok(self.echoed(answer.unwrap_or(Value::Nil)))
    }

    fn number(&self) -> &str {
        self.number.get_or_init(next_number)
    }

    fn echo(&self) -> Cmd {
        let mut echo = cmd("ECHO");
        echo.arg(self.number());
        echo
    }

    /// What a script answered, if it is the one that was called; an error bears no number.
    fn numbered(&self, answer: Value) -> Result<Value, Malformed> {
        let mut parts = match answer {
            Value::ServerError(_) => return Ok(answer),
            Value::Array(parts) => parts,
            _ => return Err(self.another()),
        };
        let number = parts.pop();
        match (parts.pop(), number) {
            (Some(answer), Some(Value::BulkString(number)))
                if parts.is_empty() && number == self.number().as_bytes() =>
            {
                Ok(answer)
            }
            _ => Err(self.another()),
        }
    }

    /// An error in the place of the echo comes from a server that refuses everything for now, or this
    /// command to this user; what is out of step is the answer of a script sooner or later.
    fn echoed(&self, echo: Value) -> Result<(), Malformed> {
        match echo {
            Value::ServerError(_) => Ok(()),
            Value::BulkString(number) if number == self.number().as_bytes() => Ok(()),
            _ => Err(self.another()),
        }
    }

    fn another(&self) -> Malformed {
        Malformed(format!("an answer came that is not the one to request {}", self.number()))
    }
}

/// The numbers of a process begin anywhere: an answer may also be one to another process.
fn next_number() -> String {
    static NEXT: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(fastrand::u32(..)));
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn only_an_answer_with_the_number_of_the_request_is_one() {
        let request = Request::script(redis::cmd("EVALSHA"));
        let number = bulk(request.number());
        let answer = request.numbered(Value::Array(vec![Value::Int(1), number.clone()]));
        assert!(matches!(answer, Ok(Value::Int(1))), "{answer:?}");
        let other = Request::script(redis::cmd("EVALSHA"));
        for wrong in [
            Value::Array(vec![Value::Int(1), bulk(other.number())]),
            Value::Array(vec![Value::Int(1), number.clone(), number.clone()]),
            Value::Array(vec![number.clone()]),
            Value::Array(vec![]),
            number,
            Value::Nil,
        ] {
            assert!(request.numbered(wrong.clone()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_echo_is_of_the_number_or_refused() {
        let request = Request::plain(redis::cmd("BLPOP"));
        assert!(request.echoed(bulk(request.number())).is_ok());
        for wrong in [bulk("1 more"), Value::Nil, Value::Okay, Value::Array(vec![bulk(request.number())])] {
            assert!(request.echoed(wrong.clone()).is_err(), "{wrong:?}");
        }
        let Ok(refused) = redis::parse_redis_value(b"-NOPERM no\r\n") else { panic!("an error is a value") };
        assert!(request.echoed(refused).is_ok());
    }
}
