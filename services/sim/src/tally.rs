//! How often each fault and each action really happened: a run that proves nothing must show it (L2).

use std::collections::BTreeMap;
use std::fmt;

/// Counts by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<(Kind, &'static str), u64>);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something that went wrong.
    Fault,
    /// What a person did.
    Action,
    /// What came of it.
    Outcome,
    /// What the machines did.
    Work,
}

impl Tally {
    /// A fault struck.
    pub fn fault(&mut self, name: &'static str) {
        self.add(Kind::Fault, name, 1);
    }

    /// Somebody acted.
    pub fn action(&mut self, name: &'static str) {
        self.add(Kind::Action, name, 1);
    }

    /// Something came of it.
    pub fn outcome(&mut self, name: &'static str) {
        self.add(Kind::Outcome, name, 1);
    }

    /// Work was done.
    pub fn work(&mut self, name: &'static str, count: u64) {
        self.add(Kind::Work, name, count);
    }

    fn add(&mut self, kind: Kind, name: &'static str, count: u64) {
        *self.0.entry((kind, name)).or_default() += count;
    }

    /// A count; 0 for what never happened.
    pub fn of(&self, kind: Kind, name: &'static str) -> u64 {
        self.0.get(&(kind, name)).copied().unwrap_or(0)
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Tally) {
        other.0.iter().for_each(|((kind, name), count)| self.add(*kind, name, *count));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, title) in [
            (Kind::Fault, "faults"),
            (Kind::Action, "actions"),
            (Kind::Outcome, "outcomes"),
            (Kind::Work, "work"),
        ] {
            writeln!(f, "{title}")?;
            for ((_, name), count) in self.0.iter().filter(|((k, _), _)| *k == kind) {
                writeln!(f, "  {count:>12}  {name}")?;
            }
        }
        Ok(())
    }
}
