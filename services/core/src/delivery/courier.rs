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

    /// The peer was heard: it is there again, so what waits for it need not sit out a long pause.
    pub(crate) fn heard(&mut self, now: Instant, from: &AgencyId) {
        let Some(peer) = self.peers.get_mut(from) else { return };
        if peer.trouble.take().is_none() {
            return;
        }
        let late = Instant(now.0 + EAGER_MS);
        let keys: Vec<(Instant, RowKey)> =
            self.due.iter().filter(|(at, key)| key.1 == *from && *at > late).cloned().collect();
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
