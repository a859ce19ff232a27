//! Random damage to bytes; the same in every run.

/// Most changes of one mutation.
const MAX_CHANGES: usize = 4;
/// Longest input that is made.
const MAX_BYTES: usize = 16 * 1024;
const SEED: u64 = 20;

/// What parsers trip over.
const TOKENS: [&[u8]; 22] = [
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"\xe2\x80\xae",
    b"\x1b[31m",
    b"{",
    b"}",
    b"[",
    b"\"",
    b"\\",
    b",",
    b":",
    b"null",
    b"-0.0",
    b"1e400",
    b"18446744073709551615",
    b"-9223372036854775808",
    b"4294967296",
    b"NaN",
    b"@",
    b"://",
];

/// Damages inputs, also with parts of others.
#[derive(Debug)]
pub struct Mutator {
    inputs: Vec<Vec<u8>>,
    random: fastrand::Rng,
}

impl Mutator {
    /// A mutator that knows these inputs.
    pub fn new(inputs: Vec<Vec<u8>>) -> Self {
        Self { inputs, random: fastrand::Rng::with_seed(SEED) }
    }

    /// The input with one to four changes.
    pub fn mutate(&mut self, input: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..self.random.usize(1..=MAX_CHANGES) {
            self.change(&mut bytes);
        }
        bytes.truncate(MAX_BYTES);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.random.usize(0..=bytes.len());
        let end = self.random.usize(at..=bytes.len());
        match self.random.u8(0..7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, part));
            }
            3 => drop(bytes.splice(at..at, self.random.choice(TOKENS).expect("there are tokens").to_vec())),
            4 => {
                let other = self.random.choice(&self.inputs).expect("there are inputs");
                let from = self.random.usize(0..=other.len());
                drop(bytes.splice(at..end, other[from..].to_vec()));
            }
            5 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << self.random.u8(0..8)),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = self.random.u8(..)),
        }
    }
}
