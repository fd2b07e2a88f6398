//! How many rounds are made, by what chance, and their figures.

use crate::writer::{Done, Pattern, Verdict};
use lienthong_tests::is_soak;
use std::fmt;

/// Cuts of one run of the writer.
pub(crate) const CUTS_PER_RUN: usize = 2;

/// Runs of the writer for each rig and pattern: 8 rounds, or 100 where `LIENTHONG_SOAK=1`.
pub(crate) fn runs() -> u64 {
    if is_soak() { 50 } else { 4 }
}

/// The figures of some rounds.
#[derive(Debug)]
pub(crate) struct Tally {
    title: String,
    pattern: Pattern,
    rounds: usize,
    acknowledged: usize,
    lost: Vec<String>,
    closed: Vec<String>,
    torn: usize,
    rebuilt: usize,
}

impl Tally {
    pub(crate) fn new(rig: &str, pattern: Pattern) -> Self {
        let title = format!("{rig}, {pattern}");
        let (lost, closed) = (Vec::new(), Vec::new());
        Self { title, pattern, rounds: 0, acknowledged: 0, lost, closed, torn: 0, rebuilt: 0 }
    }

    pub(crate) fn count(&mut self, seed: u64, done: Done, verdict: Verdict) {
        self.rounds += 1;
        self.acknowledged += done.acknowledged;
        let told = |what: String| format!("seed {seed}, {} steps acknowledged: {what}", done.acknowledged);
        match verdict {
            Verdict::Whole(report) => {
                self.torn += usize::from(report.contains("tail cut"));
                self.rebuilt += usize::from(report.contains("queues rebuilt"));
            }
            Verdict::Lost(what) => self.lost.push(told(what)),
            Verdict::Closed(what) => self.closed.push(told(what)),
        }
    }

    /// Prints the figures. Ours must be without a fault; plain sled must have one, or the rig sees nothing.
    pub(crate) fn conclude(self) {
        println!("{self}");
        let faults: Vec<&String> = self.lost.iter().chain(&self.closed).collect();
        assert!(self.rounds > 0 && self.acknowledged > 0, "{}: nothing was acknowledged", self.title);
        match self.pattern {
            Pattern::Plain => assert!(!faults.is_empty(), "{}: the rig sees nothing", self.title),
            Pattern::Ledger | Pattern::Queues => assert!(faults.is_empty(), "{self}\n{faults:#?}"),
        }
    }

    /// For a store that is broken on purpose.
    pub(crate) fn conclude_red(self) {
        println!("{self}");
        assert!(!self.lost.is_empty() || !self.closed.is_empty(), "{}: the rig sees nothing", self.title);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { title, rounds, acknowledged, torn, rebuilt, .. } = self;
        let (lost, closed) = (self.lost.len(), self.closed.len());
        write!(
            f,
            "VERDICT power_cut: {title}: {rounds} rounds, {acknowledged} steps acknowledged, {lost} lost, "
        )?;
        write!(f, "{closed} not opening, {torn} with a torn commit, {rebuilt} with queues rebuilt")
    }
}
