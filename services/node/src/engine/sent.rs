//! What is with the courier, or was a moment ago: to send it again would only keep a slow line from carrying it, or fill
//! the mailbox of somebody who is away.

use lienthong_core::ids::{AgencyId, LedgerIndex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One outbox row: whose, which statement, to whom.
pub(crate) type Row = (AgencyId, LedgerIndex, AgencyId);

/// Rows on their way. It decides nothing and may forget: then a row is merely sent once more.
#[derive(Debug, Default)]
pub(crate) struct Sent(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    rows: BTreeMap<Row, Stage>,
    /// When an agency of this node last heard a peer.
    heard: BTreeMap<Pair, Instant>,
    /// For whom the courier refused something last.
    refused: BTreeSet<Pair>,
}

/// An agency of this node, and a peer.
type Pair = (AgencyId, AgencyId);

/// What an answer may take after the courier took a row: there and back, both over a bad line with much on it. That the
/// courier itself has lost it is known sooner, for then the connection breaks; a lost answer is waited for this long.
const GRACE: Duration = Duration::from_secs(4);

/// The same for a peer that has said nothing since: it is away, and its mailbox keeps one copy as well as hundreds. What
/// loses a mailbox breaks our connection, or its owner greets us when it makes a new one; where neither is so, such as
/// when somebody purged it, this is how long it takes. Three days away are then four copies, some seconds of a bad line.
const SILENCE: Duration = Duration::from_secs(24 * 3_600);

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// It waits for the line, or the link has not answered.
    Leaving,
    /// Taken by the courier then.
    Taken(Instant),
}

impl Sent {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a resend that was decided at `at` is needless: the row had not even left then, or only just, or its receiver
    /// is away.
    pub(crate) fn is_under_way(&self, row: &Row, at: Instant) -> bool {
        let known = self.known();
        known.rows.get(row).is_some_and(|stage| known.is_kept(row, *stage, at))
    }

    /// It waits for the line.
    pub(crate) fn leave(&self, row: Row) {
        self.known().rows.insert(row, Stage::Leaving);
    }

    /// The link has answered. What it did not take may be sent again at any time.
    pub(crate) fn answered(&self, rows: Vec<Row>, is_taken: bool) {
        let now = Instant::now();
        let mut known = self.known();
        for row in rows {
            if is_taken {
                known.rows.insert(row, Stage::Taken(now));
            } else {
                known.rows.remove(&row);
            }
        }
    }

    /// Something came from a peer for an agency of this node.
    pub(crate) fn heard(&self, me: &AgencyId, peer: &AgencyId) {
        self.known().heard.insert((me.clone(), peer.clone()), Instant::now());
    }

    /// The courier refused something of `pair`.
    pub(crate) fn refused(&self, pair: Pair) {
        self.known().refused.insert(pair);
    }

    /// Whether the courier had refused something of `pair` before this.
    pub(crate) fn is_through_again(&self, pair: &Pair) -> bool {
        self.known().refused.remove(pair)
    }

    /// The courier was away, and perhaps has lost all it took.
    pub(crate) fn doubt(&self) {
        self.known().rows.retain(|_, stage| matches!(stage, Stage::Leaving));
    }

    /// Nothing that was decided earlier is waiting to be sent: what needs no holding back may be forgotten. The rest is
    /// bounded by the windows of the peers that are away.
    pub(crate) fn forget(&self) {
        let (now, mut known) = (Instant::now(), self.known());
        let rows = std::mem::take(&mut known.rows);
        known.rows = rows.into_iter().filter(|(row, stage)| known.is_kept(row, *stage, now)).collect();
    }
}

impl Known {
    fn is_kept(&self, row: &Row, stage: Stage, at: Instant) -> bool {
        let Stage::Taken(taken) = stage else { return true };
        let (me, _, peer) = row;
        let heard = self.heard.get(&(me.clone(), peer.clone()));
        let grace = if heard.is_some_and(|heard| *heard >= taken) { GRACE } else { SILENCE };
        at < taken + grace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: u64) -> Row {
        (AgencyId::parse("a").unwrap(), LedgerIndex(index), AgencyId::parse("b").unwrap())
    }

    fn hear(sent: &Sent) {
        sent.heard(&AgencyId::parse("a").unwrap(), &AgencyId::parse("b").unwrap());
    }

    #[test]
    fn a_row_is_sent_again_only_when_its_answer_has_had_time() {
        let sent = Sent::default();
        let decided = Instant::now();
        assert!(!sent.is_under_way(&row(1), decided), "never sent");
        sent.leave(row(1));
        sent.leave(row(2));
        assert!(sent.is_under_way(&row(1), decided + SILENCE * 60), "it waits for the line");
        sent.answered(vec![row(1)], true);
        hear(&sent);
        assert!(sent.is_under_way(&row(1), decided), "decided before it had left");
        assert!(sent.is_under_way(&row(1), Instant::now()), "its answer cannot be here yet");
        assert!(!sent.is_under_way(&row(1), Instant::now() + GRACE));
        sent.answered(vec![row(2)], false);
        assert!(!sent.is_under_way(&row(2), decided), "the courier did not take it");
    }

    #[test]
    fn the_mailbox_of_who_is_away_is_not_filled_with_copies() {
        let sent = Sent::default();
        hear(&sent);
        sent.answered(vec![row(1)], true);
        let late = Instant::now() + SILENCE;
        assert!(sent.is_under_way(&row(1), late - GRACE), "heard before it was taken: it may be away since");
        assert!(!sent.is_under_way(&row(1), late));
        sent.heard(&AgencyId::parse("b").unwrap(), &AgencyId::parse("a").unwrap());
        sent.forget();
        assert!(sent.is_under_way(&row(1), late - GRACE), "another was heard");
        hear(&sent);
        assert!(!sent.is_under_way(&row(1), Instant::now() + GRACE), "it is there, and did not answer");
    }

    #[test]
    fn what_was_answered_long_ago_is_forgotten_and_what_a_lost_courier_took_is_doubted() {
        let sent = Sent::default();
        for index in 1..=4 {
            sent.leave(row(index));
        }
        let at = |ago| Stage::Taken(Instant::now() - ago);
        sent.known().rows.insert(row(3), at(GRACE));
        sent.known().rows.insert(row(4), at(GRACE / 2));
        hear(&sent);
        sent.answered(vec![row(1)], true);
        sent.forget();
        let rows = || sent.known().rows.keys().cloned().collect::<Vec<_>>();
        assert_eq!(rows(), [row(1), row(2), row(4)]);
        sent.doubt();
        assert_eq!(rows(), [row(2)]);
    }
}
