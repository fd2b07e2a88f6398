//! The writer as a process: how it is called, and the verdict of its judge.

use std::fmt;
use std::path::Path;
use std::process::Command;

/// A judge that takes longer hangs.
const JUDGE_LIMIT_S: &str = "120";

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The ledger alone.
    Ledger,
    /// The ledger, the queues and snapshots.
    Queues,
    /// Plain sled and its `flush()`.
    Plain,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ledger => "ledger",
            Self::Queues => "queues",
            Self::Plain => "plain",
        })
    }
}

/// The steps of a run: all before `acknowledged` done for certain, none from `begun` on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) acknowledged: usize,
    pub(crate) begun: usize,
}

/// What the judge found.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Everything acknowledged is there, and it goes on.
    Whole(String),
    /// Something acknowledged is not there, or something is there that was never written.
    Lost(String),
    /// It does not open, or fails, or hangs.
    Closed(String),
}

/// A call of the writer that follows the script of a seed, or goes on with it at the step `from`.
pub(crate) fn write(dir: &Path, pattern: Pattern, seed: u64, steps: usize, from: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_power_writer"));
    command.arg("write").arg(dir).arg(pattern.to_string()).args([
        seed.to_string(),
        steps.to_string(),
        from.to_string(),
    ]);
    command
}

/// Judges what is in `dir`. It is changed: the judge opens it and goes on.
pub(crate) fn judge(dir: &Path, pattern: Pattern, seed: u64, done: Done) -> Verdict {
    judge_by("judge", dir, pattern, seed, done)
}

/// The same after a sync failed, of which sled may have told nobody: its rows may be fewer than were flushed.
pub(crate) fn judge_after_failure(dir: &Path, pattern: Pattern, seed: u64, done: Done) -> Verdict {
    judge_by("judge-after-failure", dir, pattern, seed, done)
}

fn judge_by(rule: &str, dir: &Path, pattern: Pattern, seed: u64, done: Done) -> Verdict {
    let judged = Command::new("timeout")
        .args(["--signal=KILL", JUDGE_LIMIT_S, env!("CARGO_BIN_EXE_power_writer"), rule])
        .arg(dir)
        .arg(pattern.to_string())
        .args([seed.to_string(), done.acknowledged.to_string(), done.begun.to_string()])
        .output()
        .expect("timeout of coreutils runs");
    let told = String::from_utf8_lossy(&judged.stderr).trim().to_owned();
    match judged.status.code() {
        Some(0) => Verdict::Whole(told),
        Some(3) => Verdict::Lost(told),
        Some(2) => panic!("the writer was called wrongly: {told}"),
        // 101 is a panic, 137 a judge that hung.
        _ => Verdict::Closed(format!("{}: {told}", judged.status)),
    }
}
