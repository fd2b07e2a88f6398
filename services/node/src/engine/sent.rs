//! What is with the courier, or was a moment ago: to send it again would only keep a slow line from carrying it.

use lienthong_core::ids::{AgencyId, LedgerIndex};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One outbox row: whose, which statement, to whom.
pub(crate) type Row = (AgencyId, LedgerIndex, AgencyId);

/// Rows on their way. It decides nothing and may forget: then a row is merely sent once more.
#[derive(Debug)]
pub(crate) struct Sent {
    rows: Mutex<BTreeMap<Row, Stage>>,
}

/// What an answer may take after the courier took a row: there and back, both over a bad line with much on it. That the
/// courier itself has lost it is known sooner, for then the connection breaks; a lost answer is waited for this long.
const GRACE: Duration = Duration::from_secs(4);

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It waits for the line, or the link has not answered.
    Leaving,
    /// Taken by the courier then.
    Taken(Instant),
}

impl Sent {
    pub(crate) fn new() -> Self {
        Self { rows: Mutex::default() }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<Row, Stage>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a resend that was decided at `at` is needless: the row had not even left then, or only just.
    pub(crate) fn is_under_way(&self, row: &Row, at: Instant) -> bool {
        match self.rows().get(row) {
            None => false,
            Some(Stage::Leaving) => true,
            Some(Stage::Taken(taken)) => at < *taken + GRACE,
        }
    }

    /// It waits for the line.
    pub(crate) fn leave(&self, row: Row) {
        self.rows().insert(row, Stage::Leaving);
    }

    /// The link has answered. What it did not take may be sent again at any time.
    pub(crate) fn answered(&self, rows: Vec<Row>, is_taken: bool) {
        let now = Instant::now();
        let mut known = self.rows();
        for row in rows {
            if is_taken {
                known.insert(row, Stage::Taken(now));
            } else {
                known.remove(&row);
            }
        }
    }

    /// The courier was away, and perhaps has lost all it took.
    pub(crate) fn doubt(&self) {
        self.rows().retain(|_, stage| matches!(stage, Stage::Leaving));
    }

    /// Nothing that was decided earlier is waiting to be sent: what was taken long ago may be forgotten.
    pub(crate) fn forget(&self) {
        let now = Instant::now();
        self.rows().retain(|_, stage| match stage {
            Stage::Leaving => true,
            Stage::Taken(taken) => now < *taken + GRACE,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: u64) -> Row {
        (AgencyId::parse("a").unwrap(), LedgerIndex(index), AgencyId::parse("b").unwrap())
    }

    #[test]
    fn a_row_is_sent_again_only_when_its_answer_has_had_time() {
        let sent = Sent::new();
        let decided = Instant::now();
        assert!(!sent.is_under_way(&row(1), decided), "never sent");
        sent.leave(row(1));
        sent.leave(row(2));
        assert!(sent.is_under_way(&row(1), decided + GRACE * 60), "it waits for the line");
        sent.answered(vec![row(1)], true);
        assert!(sent.is_under_way(&row(1), decided), "decided before it had left");
        assert!(sent.is_under_way(&row(1), Instant::now()), "its answer cannot be here yet");
        assert!(!sent.is_under_way(&row(1), Instant::now() + GRACE));
        sent.answered(vec![row(2)], false);
        assert!(!sent.is_under_way(&row(2), decided), "the courier did not take it");
    }

    #[test]
    fn what_was_taken_long_ago_is_forgotten_and_what_a_lost_courier_took_is_doubted() {
        let sent = Sent::new();
        for index in 1..=3 {
            sent.leave(row(index));
        }
        sent.answered(vec![row(1)], true);
        sent.rows().insert(row(3), Stage::Taken(Instant::now() - GRACE));
        sent.forget();
        assert_eq!(sent.rows().keys().cloned().collect::<Vec<_>>(), [row(1), row(2)]);
        sent.doubt();
        assert_eq!(sent.rows().keys().cloned().collect::<Vec<_>>(), [row(2)]);
    }
}
