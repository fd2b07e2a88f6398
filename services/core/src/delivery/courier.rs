//! When a row is sent, and sent again. It decides nothing: forget it all, and rows are merely sent anew.

use super::outbox::{Outbox, RowKey};
use crate::ids::{AgencyId, Instant, WallMs};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Timing of resends. Defaults and reasons are the operator's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// First resend after this many milliseconds; doubled each time.
    pub resend_first_ms: u64,
    /// The longest wait between two resends.
    pub resend_max_ms: u64,
    /// Rows without an answer per peer; later ones wait, so that latency stays bounded.
    pub window: usize,
}

/// Why a peer's rows do not get through the courier, as the link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The receiver has no mailbox: it was never started.
    NoMailbox,
    /// Its mailbox is full: it does not empty it.
    MailboxFull,
    /// The courier itself cannot be reached.
    Unreachable,
}

/// Volatile state of delivery.
#[derive(Clone, Debug)]
pub struct Courier {
    timing: Timing,
    flying: BTreeMap<RowKey, Flight>,
    due: BTreeSet<(Instant, RowKey)>,
    peers: BTreeMap<AgencyId, Peer>,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    next: Instant,
    attempts: u32,
}

#[derive(Clone, Debug, Default)]
struct Peer {
    flying: usize,
    waiting: BTreeSet<RowKey>,
    trouble: Option<(Trouble, WallMs)>,
}

/// After a peer is heard from again, its rows are resent at once, but no more often than this.
const EAGER_MS: u64 = 5_000;

impl Courier {
    /// Nothing to send.
    pub fn new(timing: Timing) -> Self {
        Self { timing, flying: BTreeMap::new(), due: BTreeSet::new(), peers: BTreeMap::new() }
    }

    /// A durable row that is to be sent.
    pub(crate) fn add(&mut self, now: Instant, key: RowKey) {
        if self.flying.contains_key(&key) {
            return;
        }
        let peer = self.peers.entry(key.1.clone()).or_default();
        if peer.flying < self.timing.window {
            self.launch(now, key);
        } else {
            peer.waiting.insert(key);
        }
    }

    fn launch(&mut self, now: Instant, key: RowKey) {
        self.peers.entry(key.1.clone()).or_default().flying += 1;
        self.due.insert((now, key.clone()));
        self.flying.insert(key, Flight { next: now, attempts: 0 });
    }

    /// Rows to send now, with the number of earlier attempts. Rows that need no resending any more land here.
    pub(crate) fn take_due(&mut self, now: Instant, outbox: &Outbox) -> Vec<(RowKey, u32)> {
        let mut out = Vec::new();
        while let Some((at, key)) = self.due.first().cloned() {
            if at > now {
                break;
            }
            self.due.remove(&(at, key.clone()));
            if !outbox.row(&key).is_some_and(|row| row.awaits.resends()) {
                self.land(now, &key);
                continue;
            }
            let Some(flight) = self.flying.get_mut(&key) else { continue };
            out.push((key.clone(), flight.attempts));
            flight.attempts += 1;
            flight.next = Instant(now.0 + self.timing.pause(&key, flight.attempts));
            self.due.insert((flight.next, key));
        }
        out
    }

    /// A row that was answered frees its place in the window.
    pub(crate) fn land(&mut self, now: Instant, key: &RowKey) {
        let Some(peer) = self.peers.get_mut(&key.1) else { return };
        match self.flying.remove(key) {
            None => {
                peer.waiting.remove(key);
            }
            Some(flight) => {
                self.due.remove(&(flight.next, key.clone()));
                peer.flying -= 1;
                if let Some(next) = peer.waiting.pop_first() {
                    self.launch(now, next);
                }
            }
        }
    }

    /// The peer was heard, or what was sent to it got through: what waits for it need not sit out a long pause.
    pub(crate) fn heard(&mut self, now: Instant, from: &AgencyId) {
        let Some(peer) = self.peers.get_mut(from) else { return };
        if peer.trouble.take().is_some() {
            self.hasten(now, from);
        }
    }

    /// The courier itself can be reached again, after days perhaps: what it did not take is sent at once.
    pub(crate) fn reconnected(&mut self, now: Instant) {
        let was_cut_off = |peer: &Peer| matches!(peer.trouble, Some((Trouble::Unreachable, _)));
        let peers: Vec<AgencyId> =
            self.peers.iter().filter(|(_, peer)| was_cut_off(peer)).map(|(id, _)| id.clone()).collect();
        for id in peers {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.trouble = None;
            }
            self.hasten(now, &id);
        }
    }

    /// Rows for this peer need not sit out a long pause.
    pub(crate) fn hasten(&mut self, now: Instant, to: &AgencyId) {
        let late = Instant(now.0 + EAGER_MS);
        let keys: Vec<(Instant, RowKey)> =
            self.due.iter().filter(|(at, key)| key.1 == *to && *at > late).cloned().collect();
        for (at, key) in keys {
            self.due.remove(&(at, key.clone()));
            if let Some(flight) = self.flying.get_mut(&key) {
                flight.next = now;
                self.due.insert((now, key));
            }
        }
    }

    /// The link says that this peer's envelopes do not get through.
    pub(crate) fn troubled(&mut self, wall: WallMs, to: &AgencyId, trouble: Trouble) {
        let peer = self.peers.entry(to.clone()).or_default();
        match &mut peer.trouble {
            Some((known, _)) if *known == trouble => {}
            other => *other = Some((trouble, wall)),
        }
    }

    /// What the link last said about a peer, and since when.
    pub fn trouble(&self, peer: &AgencyId) -> Option<(Trouble, WallMs)> {
        self.peers.get(peer).and_then(|p| p.trouble)
    }

    /// Rows sent and unanswered, and rows held back by the window.
    pub fn load(&self, peer: &AgencyId) -> (usize, usize) {
        self.peers.get(peer).map_or((0, 0), |p| (p.flying, p.waiting.len()))
    }

    /// How often a row was sent; none while the window holds it back.
    pub fn attempts(&self, key: &RowKey) -> Option<u32> {
        self.flying.get(key).map(|f| f.attempts)
    }

    /// When [`Self::take_due`] has something next.
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Timing {
    /// Doubling pause with ±25 % of jitter, taken from the row and the attempt: no randomness, and no two rows alike.
    fn pause(&self, key: &RowKey, attempts: u32) -> u64 {
        let base = self.resend_first_ms.saturating_mul(1 << (attempts - 1).min(20)).min(self.resend_max_ms);
        let mixed = (key.0.0 ^ u64::from(attempts) << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
        (base * 3 / 4 + base / 2 * mixed / 0xFFFF).max(1) // a pause of nothing would never end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::outbox::{Awaits, Row};
    use crate::ids::{Digest, LedgerIndex};
    use crate::statement::Kind;

    const TIMING: Timing = Timing { resend_first_ms: 1_000, resend_max_ms: 60_000, window: 3 };

    fn peer(name: &str) -> AgencyId {
        AgencyId::parse(name).unwrap()
    }

    fn row(index: u64) -> Row {
        let mut sid = [0; 32];
        sid[..8].copy_from_slice(&index.to_be_bytes());
        let since = WallMs(0);
        Row { sid: Digest(sid), kind: Kind::Note, track: Digest::ZERO, awaits: Awaits::Ack, since }
    }

    /// A courier and an outbox with `rows` rows for `to`.
    fn with_rows(rows: u64, to: &AgencyId) -> (Courier, Outbox) {
        let (mut courier, mut outbox) = (Courier::new(TIMING), Outbox::default());
        for index in 0..rows {
            outbox.add(LedgerIndex(index), to.clone(), row(index));
            courier.add(Instant(0), (LedgerIndex(index), to.clone()));
        }
        (courier, outbox)
    }

    #[test]
    fn the_window_lets_rows_out_in_order_as_others_land() {
        let b = peer("b");
        let (mut courier, outbox) = with_rows(5, &b);
        let sent: Vec<u64> = courier.take_due(Instant(0), &outbox).iter().map(|(k, _)| k.0.0).collect();
        assert_eq!((sent, courier.load(&b)), ([0, 1, 2].into(), (3, 2)));
        courier.land(Instant(1), &(LedgerIndex(1), b.clone()));
        let sent: Vec<u64> = courier.take_due(Instant(1), &outbox).iter().map(|(k, _)| k.0.0).collect();
        assert_eq!((sent, courier.load(&b)), ([3].into(), (3, 1)));
        // A row that is answered before its turn is never sent.
        courier.land(Instant(1), &(LedgerIndex(4), b.clone()));
        assert_eq!(courier.load(&b), (3, 0));
        [0, 2, 3].into_iter().for_each(|n| courier.land(Instant(2), &(LedgerIndex(n), b.clone())));
        assert_eq!((courier.load(&b), courier.next()), ((0, 0), None));
    }

    #[test]
    fn one_peer_does_not_use_up_the_window_of_another() {
        let (mut courier, mut outbox) = with_rows(9, &peer("b"));
        outbox.add(LedgerIndex(9), peer("c"), row(9));
        courier.add(Instant(0), (LedgerIndex(9), peer("c")));
        assert_eq!(courier.take_due(Instant(0), &outbox).len(), 4);
    }

    #[test]
    fn a_row_freed_meanwhile_is_not_sent_and_makes_room() {
        let b = peer("b");
        let (mut courier, mut outbox) = with_rows(4, &b);
        outbox.free(LedgerIndex(0), &b);
        let sent: Vec<u64> = courier.take_due(Instant(0), &outbox).iter().map(|(k, _)| k.0.0).collect();
        assert_eq!(sent, [1, 2, 3]);
    }

    #[test]
    fn pauses_double_within_their_bounds_and_differ() {
        let (b, mut first) = (peer("b"), BTreeSet::new());
        for index in 0..200 {
            let key = (LedgerIndex(index), b.clone());
            for attempt in 1..40 {
                let base = (1_000_u64 << (attempt - 1).min(20)).min(60_000);
                let pause = TIMING.pause(&key, attempt);
                assert!((base * 3 / 4..=base * 5 / 4).contains(&pause), "{pause} after {attempt}");
            }
            first.insert(TIMING.pause(&key, 1));
        }
        assert!(first.len() > 150, "rows of one moment come back at {} moments", first.len());
    }

    #[test]
    fn even_a_pause_of_nothing_ends() {
        let b = peer("b");
        let (mut courier, outbox) = with_rows(1, &b);
        courier.timing.resend_first_ms = 0;
        assert_eq!(courier.take_due(Instant(0), &outbox).len(), 1);
        assert_eq!(courier.take_due(Instant(0), &outbox).len(), 0);
    }

    #[test]
    fn attempts_are_counted_and_early_calls_are_harmless() {
        let b = peer("b");
        let (mut courier, outbox) = with_rows(1, &b);
        let mut attempts = Vec::new();
        for _ in 0..4 {
            let now = courier.next().unwrap();
            attempts.extend(courier.take_due(now, &outbox).iter().map(|(_, attempts)| *attempts));
            assert!(courier.take_due(now, &outbox).is_empty());
        }
        assert_eq!((attempts, courier.attempts(&(LedgerIndex(0), b))), ([0, 1, 2, 3].into(), Some(4)));
    }

    #[test]
    fn a_peer_that_is_heard_again_need_not_wait_out_a_long_pause() {
        let b = peer("b");
        let (mut courier, outbox) = with_rows(1, &b);
        for _ in 0..10 {
            let now = courier.next().unwrap();
            courier.take_due(now, &outbox);
        }
        let late = courier.next().unwrap();
        let now = Instant(late.0 - 30_000);
        courier.heard(now, &b);
        assert_eq!(courier.next(), Some(late), "there was no trouble");
        courier.troubled(WallMs(7), &b, Trouble::NoMailbox);
        courier.troubled(WallMs(9), &b, Trouble::NoMailbox);
        assert_eq!(courier.trouble(&b), Some((Trouble::NoMailbox, WallMs(7))), "since when is kept");
        courier.heard(now, &b);
        assert_eq!((courier.next(), courier.trouble(&b)), (Some(now), None));
    }

    #[test]
    fn when_the_courier_is_back_what_it_did_not_take_is_sent_at_once() {
        let (b, c) = (peer("b"), peer("c"));
        let (mut courier, mut outbox) = with_rows(1, &b);
        outbox.add(LedgerIndex(1), c.clone(), row(1));
        courier.add(Instant(0), (LedgerIndex(1), c.clone()));
        let mut now = Instant(0);
        for _ in 0..20 {
            now = courier.next().unwrap();
            courier.take_due(now, &outbox);
        }
        courier.troubled(WallMs(7), &b, Trouble::Unreachable);
        courier.troubled(WallMs(7), &c, Trouble::NoMailbox);
        courier.reconnected(now);
        assert_eq!((courier.trouble(&b), courier.next()), (None, Some(now)));
        let sent: Vec<u64> = courier.take_due(now, &outbox).iter().map(|(k, _)| k.0.0).collect();
        assert_eq!(sent, [0], "whoever has no mailbox has none now");
        assert!(courier.trouble(&c).is_some());
    }
}
