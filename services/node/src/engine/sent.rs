//! What is with the courier, or was a moment ago: to send it again would only keep a slow line from carrying it, or fill
//! the mailbox of somebody who is away.

use lienthong_core::ids::{AgencyId, LedgerIndex};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An agency of this node, and a peer.
pub(crate) type Pair = (AgencyId, AgencyId);

/// Rows on their way. It decides nothing and may forget: then a row is merely sent once more.
#[derive(Debug, Default)]
pub(crate) struct Sent(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    peers: BTreeMap<Pair, Peer>,
    /// When what needs no holding back was last forgotten.
    forgotten: Option<Instant>,
}

/// What is known of one peer of an agency.
#[derive(Debug, Default)]
struct Peer {
    /// Outbox rows for it, by statement.
    rows: BTreeMap<LedgerIndex, Stage>,
    /// When it was last heard.
    heard: Option<Instant>,
    /// The courier refused something for it last.
    is_refused: bool,
    /// It is silent, and was sent something again all the same.
    knock: Option<Knock>,
}

/// One row is sent again to a peer that is silent: perhaps it is there, and its answer was lost.
#[derive(Debug)]
struct Knock {
    last: Instant,
    pause: Duration,
}

/// What an answer may take after the courier took a row: there and back, both over a bad line with much on it. That the
/// courier itself has lost it is known sooner, for then the connection breaks; a lost answer is waited for this long.
const GRACE: Duration = Duration::from_secs(4);

/// The same for a peer that has said nothing since: it is away, and its mailbox keeps one copy as well as hundreds. What
/// loses a mailbox breaks our connection, or its owner greets when it starts; one that somebody deleted or purged is found by a
/// knock. A day is for what nobody thought of: three days away are then four copies, some seconds of a bad line.
const SILENCE: Duration = Duration::from_secs(24 * 3_600);

/// How often what needs no holding back is forgotten: it goes through all that left in the last seconds, thousands under load,
/// and whoever sends waits for it.
const FORGET_EVERY: Duration = Duration::from_secs(1);

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
    pub(crate) fn is_under_way(&self, pair: &Pair, row: LedgerIndex, at: Instant) -> bool {
        let mut known = self.known();
        let Some(peer) = known.peers.get_mut(pair) else { return false };
        match peer.rows.get(&row).copied() {
            None => false,
            Some(stage) => peer.is_kept(stage, at) && !peer.knocks(stage, at),
        }
    }

    /// It waits for the line.
    pub(crate) fn leave(&self, pair: &Pair, row: LedgerIndex) {
        self.known().peer(pair).rows.insert(row, Stage::Leaving);
    }

    /// The link has answered. What it did not take may be sent again at any time.
    pub(crate) fn answered(&self, pair: &Pair, rows: &[LedgerIndex], is_taken: bool) {
        let now = Instant::now();
        let mut known = self.known();
        let peer = known.peer(pair);
        for row in rows {
            if is_taken {
                peer.rows.insert(*row, Stage::Taken(now));
            } else {
                peer.rows.remove(row);
            }
        }
    }

    /// Something came from a peer for an agency of this node.
    pub(crate) fn heard(&self, pair: &Pair) {
        let mut known = self.known();
        let peer = known.peer(pair);
        peer.knock = None;
        peer.heard = Some(Instant::now());
    }

    /// The courier refused something of `pair`.
    pub(crate) fn refused(&self, pair: &Pair) {
        self.known().peer(pair).is_refused = true;
    }

    /// Whether the courier had refused something of `pair` before this.
    pub(crate) fn is_through_again(&self, pair: &Pair) -> bool {
        std::mem::take(&mut self.known().peer(pair).is_refused)
    }

    /// The courier was away, and perhaps has lost all it took.
    pub(crate) fn doubt(&self) {
        for peer in self.known().peers.values_mut() {
            peer.rows.retain(|_, stage| matches!(stage, Stage::Leaving));
        }
    }

    /// Nothing that was decided earlier is waiting to be sent: what needs no holding back may be forgotten. The rest is
    /// bounded by the windows of the peers that are away.
    pub(crate) fn forget(&self) {
        let (now, mut known) = (Instant::now(), self.known());
        if known.forgotten.is_some_and(|last| now < last + FORGET_EVERY) {
            return;
        }
        known.forgotten = Some(now);
        for peer in known.peers.values_mut() {
            let mut rows = std::mem::take(&mut peer.rows);
            rows.retain(|_, stage| peer.is_kept(*stage, now));
            peer.rows = rows;
        }
    }
}

impl Known {
    fn peer(&mut self, pair: &Pair) -> &mut Peer {
        self.peers.entry(pair.clone()).or_default()
    }
}

impl Peer {
    fn is_kept(&self, stage: Stage, at: Instant) -> bool {
        let Stage::Taken(taken) = stage else { return true };
        let grace = if self.heard.is_some_and(|heard| heard >= taken) { GRACE } else { SILENCE };
        at < taken + grace
    }

    /// Whether a row of this stage, which is kept, is sent again all the same.
    fn knocks(&mut self, stage: Stage, at: Instant) -> bool {
        let Stage::Taken(taken) = stage else { return false };
        if at < taken + GRACE {
            return false;
        }
        let knock = self.knock.get_or_insert(Knock { last: taken, pause: GRACE });
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

    fn pair(me: &str, peer: &str) -> Pair {
        (AgencyId::parse(me).unwrap(), AgencyId::parse(peer).unwrap())
    }

    /// What is sent from a to b.
    impl Sent {
        fn under_way(&self, row: u64, at: Instant) -> bool {
            self.is_under_way(&pair("a", "b"), LedgerIndex(row), at)
        }

        fn sends(&self, row: u64) {
            self.leave(&pair("a", "b"), LedgerIndex(row));
        }

        fn is_answered(&self, rows: impl Iterator<Item = u64>, is_taken: bool) {
            self.answered(&pair("a", "b"), &rows.map(LedgerIndex).collect::<Vec<_>>(), is_taken);
        }
    }

    fn hear(sent: &Sent) {
        sent.heard(&pair("a", "b"));
    }

    #[test]
    fn a_row_is_sent_again_only_when_its_answer_has_had_time() {
        let sent = Sent::default();
        let decided = Instant::now();
        assert!(!sent.under_way(1, decided), "never sent");
        sent.sends(1);
        sent.sends(2);
        assert!(sent.under_way(1, decided + SILENCE * 60), "it waits for the line");
        sent.is_answered(1..=1, true);
        hear(&sent);
        assert!(sent.under_way(1, decided), "decided before it had left");
        assert!(sent.under_way(1, Instant::now()), "its answer cannot be here yet");
        assert!(!sent.under_way(1, Instant::now() + GRACE));
        sent.is_answered(2..=2, false);
        assert!(!sent.under_way(2, decided), "the courier did not take it");
    }

    #[test]
    fn the_mailbox_of_who_is_away_is_not_filled_with_copies() {
        let sent = Sent::default();
        hear(&sent);
        sent.is_answered(1..=1, true);
        let late = Instant::now() + SILENCE;
        let now = Instant::now();
        assert!(!sent.under_way(1, late), "a day is enough");
        sent.heard(&pair("b", "a"));
        sent.forget();
        assert!(!sent.under_way(1, now + GRACE * 2), "it knocks: another was heard");
        assert!(sent.under_way(1, now + GRACE * 2), "heard before it was taken: it may be away since");
        hear(&sent);
        assert!(!sent.under_way(1, Instant::now() + GRACE), "it is there, and did not answer");
    }

    #[test]
    fn one_row_knocks_at_who_is_silent_for_its_answer_may_be_lost() {
        let sent = Sent::default();
        let start = Instant::now();
        sent.is_answered(0..100, true);
        let mut knocks = Vec::new();
        for second in 0..3_600 {
            let at = start + Duration::from_secs(second);
            let again = (0..100).filter(|index| !sent.under_way(*index, at)).count();
            assert!(again <= 1, "{again} rows at once");
            knocks.extend((again == 1).then_some(second));
        }
        let pauses: Vec<u64> = knocks.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!((4..=5).contains(&knocks[0]), "{knocks:?}");
        assert_eq!(pauses[..7], [8, 16, 32, 64, 128, 256, 300]);
        assert!(pauses[7..].iter().all(|pause| *pause == 300), "{pauses:?}");
        hear(&sent);
        let at = Instant::now() + GRACE;
        assert!((0..100).all(|index| !sent.under_way(index, at)), "it is there: all may go");
    }

    #[test]
    fn what_was_answered_long_ago_is_forgotten_and_what_a_lost_courier_took_is_doubted() {
        let sent = Sent::default();
        for index in 1..=4 {
            sent.sends(index);
        }
        let at = |ago| Stage::Taken(Instant::now() - ago);
        let aged = [(LedgerIndex(3), at(GRACE)), (LedgerIndex(4), at(GRACE / 2))];
        sent.known().peer(&pair("a", "b")).rows.extend(aged);
        hear(&sent);
        sent.is_answered(1..=1, true);
        sent.forget();
        let rows = || sent.known().peer(&pair("a", "b")).rows.keys().map(|row| row.0).collect::<Vec<_>>();
        assert_eq!(rows(), [1, 2, 4]);
        sent.doubt();
        assert_eq!(rows(), [2]);
    }
}
