//! The token that turns "decided" into "may be spoken" (protocol.md 4.1).

use crate::ids::{AgencyId, Head};
use alloc::vec::Vec;

/// Proof that a commit is on stable storage. Envelopes and replies leave the core only against it.
///
/// Only the store makes one, after its `fdatasync` returned; `tests/tests/layering.rs` checks that no other
/// production code calls [`Durable::attest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    heads: Vec<(AgencyId, Head)>,
}

impl Durable {
    /// Called by the store, and by it alone, after the commit is synced: the new head of each ledger it touched.
    pub fn attest(heads: Vec<(AgencyId, Head)>) -> Self {
        Self { heads }
    }

    /// The head this commit gave to `agency`'s ledger, or `None` when it did not touch it.
    pub fn head(&self, agency: &AgencyId) -> Option<Head> {
        self.heads.iter().find(|(a, _)| a == agency).map(|(_, h)| *h)
    }
}
