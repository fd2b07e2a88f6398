//! One seed, from the beginning to the verdict.

use crate::tally::Tally;
use crate::trace::Fingerprint;
use crate::violation::Violation;
use crate::world::{Config, World};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A run that broke nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Hash of every event: the same for the same seed, for ever.
    pub fingerprint: Fingerprint,
    /// Hash of every decision: the same whatever the clocks say (I20).
    pub decided: Fingerprint,
    /// What happened, and how often.
    pub tally: Tally,
}

/// A run that broke something.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// Its length.
    pub steps: u64,
    /// The first invariant that did not hold.
    pub violation: Violation,
    /// The last events, oldest first.
    pub last: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} breaks {}", self.seed, self.violation)?;
        writeln!(f, "the last {} events:", self.last.len())?;
        self.last.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        write!(
            f,
            "again, with every event: cargo run -p lienthong-sim -- --seed {} --steps {} --verbose",
            self.seed, self.steps
        )
    }
}

/// Plays one seed.
///
/// # Errors
/// The first invariant that does not hold; a panic of the product counts as one.
pub fn run(seed: u64, config: Config) -> Result<Report, Box<Failure>> {
    let mut world = World::new(seed, config);
    let came = catch_unwind(AssertUnwindSafe(|| world.play()));
    let violation = match came {
        Ok(Ok(())) => {
            let (fingerprint, decided) = (world.trace.fingerprint(), world.trace.decided());
            return Ok(Report { seed, fingerprint, decided, tally: world.tally });
        }
        Ok(Err(violation)) => violation,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
            Violation { invariant: "panic", what: text.into() }
        }
    };
    let last = world.trace.last().map(Into::into).collect();
    Err(Box::new(Failure { seed, steps: config.steps, violation, last }))
}
