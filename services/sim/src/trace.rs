//! What happened, in order: a hash of all of it, and the last of it in words.

use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};

/// Events kept in words, for the report of a violation.
const KEPT: usize = 30;

/// The course of a run.
#[derive(Debug)]
pub struct Trace {
    hash: Sha256,
    decisions: Sha256,
    last: VecDeque<String>,
    aloud: bool,
}

/// A hash over a whole run, short enough to be read out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Trace {
    /// An empty course; `aloud` prints each event as it happens.
    pub fn new(aloud: Aloud) -> Self {
        let (hash, decisions) = (Sha256::new(), Sha256::new());
        Self { hash, decisions, last: VecDeque::new(), aloud: aloud == Aloud::Yes }
    }

    /// Something happened at this virtual time.
    pub fn event(&mut self, at: u64, what: fmt::Arguments<'_>) {
        let line = format!("{:>12.3} s  {what}", at as f64 / 1_000.0);
        self.hash.update(line.as_bytes());
        if self.aloud {
            let _ = writeln!(io::stdout(), "{line}"); // whoever reads may stop reading
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// Somebody decided something. Told without ids and times, so that other clocks must give the same (I20).
    pub fn decision(&mut self, what: fmt::Arguments<'_>) {
        self.decisions.update(what.to_string().as_bytes());
        self.decisions.update(b"\n");
    }

    /// Hash of every event.
    pub fn fingerprint(&self) -> Fingerprint {
        short(&self.hash)
    }

    /// Hash of every decision.
    pub fn decided(&self) -> Fingerprint {
        short(&self.decisions)
    }

    /// The last events, oldest first.
    pub fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}

/// Whether events are printed as they happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aloud {
    /// Each one.
    Yes,
    /// None.
    #[default]
    No,
}

fn short(hash: &Sha256) -> Fingerprint {
    let all: [u8; 32] = hash.clone().finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&all[..8]);
    Fingerprint(u64::from_be_bytes(first))
}
