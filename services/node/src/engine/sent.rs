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
    /// Who is silent, and was sent something again all the same.
    knocks: BTreeMap<Pair, Knock>,
}

/// One row is sent again to a peer that is silent: perhaps it is there, and its answer was lost.
#[derive(Debug)]
struct Knock {
    last: Instant,
    pause: Duration,
}

/// An agency of this node, and a peer.
type Pair = (AgencyId, AgencyId);

/// What an answer may take after the courier took a row: there and back, both over a bad line with much on it. That the
/// courier itself has lost it is known sooner, for then the connection breaks; a lost answer is waited for this long.
const GRACE: Duration = Duration::from_secs(4);

/// The same for a peer that has said nothing since: it is away, and its mailbox keeps one copy as well as hundreds. What
/// loses a mailbox breaks our connection, or its owner greets when it starts; one that somebody deleted or purged is found by a
/// knock. A day is for what nobody thought of: three days away are then four copies, some seconds of a bad line.
const SILENCE: Duration = Duration::from_secs(24 * 3_600);

/// The longest pause between two knocks, which begin after [`GRACE`] and double: three days are 900 rows.
const KNOCK: Duration = Duration::from_secs(300);

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
    /// is away. Now and then one row for a silent receiver is not.
    pub(crate) fn is_under_way(&self, row: &Row, at: Instant) -> bool {
        let mut known = self.known();
        match known.rows.get(row).copied() {
            None => false,
            Some(stage) => known.is_kept(row, stage, at) && !known.knocks(row, stage, at),
        }
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
        let (pair, mut known) = ((me.clone(), peer.clone()), self.known());
        known.knocks.remove(&pair);
        known.heard.insert(pair, Instant::now());
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

    /// Whether this row, which is kept, is sent again all the same.
    fn knocks(&mut self, (me, _, peer): &Row, stage: Stage, at: Instant) -> bool {
        let Stage::Taken(taken) = stage else { return false };
        if at < taken + GRACE {
            return false;
        }
        let first = Knock { last: taken, pause: GRACE };
        let knock = self.knocks.entry((me.clone(), peer.clone())).or_insert(first);
        if at < knock.last + knock.pause {
            return false;
        }
        (knock.last, knock.pause) = (at, (knock.pause * 2).min(KNOCK));
        true
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
        let now = Instant::now();
        assert!(!sent.is_under_way(&row(1), late), "a day is enough");
        sent.heard(&AgencyId::parse("b").unwrap(), &AgencyId::parse("a").unwrap());
        sent.forget();
        assert!(!sent.is_under_way(&row(1), now + GRACE * 2), "it knocks: another was heard");
        assert!(
            sent.is_under_way(&row(1), now + GRACE * 2),
            "heard before it was taken: it may be away since"
        );
        hear(&sent);
        assert!(!sent.is_under_way(&row(1), Instant::now() + GRACE), "it is there, and did not answer");
    }

    #[test]
    fn one_row_knocks_at_who_is_silent_for_its_answer_may_be_lost() {
        let sent = Sent::default();
        let start = Instant::now();
        sent.answered((0..100).map(row).collect(), true);
        let mut knocks = Vec::new();
        for second in 0..3_600 {
            let at = start + Duration::from_secs(second);
            let again = (0..100).filter(|index| !sent.is_under_way(&row(*index), at)).count();
            assert!(again <= 1, "{again} rows at once");
            knocks.extend((again == 1).then_some(second));
        }
        let pauses: Vec<u64> = knocks.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!((4..=5).contains(&knocks[0]), "{knocks:?}");
        assert_eq!(pauses[..7], [8, 16, 32, 64, 128, 256, 300]);
        assert!(pauses[7..].iter().all(|pause| *pause == 300), "{pauses:?}");
        hear(&sent);
        let at = Instant::now() + GRACE;
        assert!((0..100).all(|index| !sent.is_under_way(&row(index), at)), "it is there: all may go");
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
