//! When a peer is told of acts that it has not said to know. Forget it all, and peers are merely told anew.

use super::Acts;
use crate::ids::{AgencyId, Instant, LedgerIndex};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Who is told next, and when.
#[derive(Clone, Debug, Default)]
pub struct Telling {
    /// The word that is said, again and again, and how many acts it names.
    said: Option<(LedgerIndex, usize)>,
    /// The word that answers all who ask, and how many acts it names.
    answer: Option<(LedgerIndex, usize)>,
    peers: BTreeMap<AgencyId, Turn>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    told: Option<Instant>,
    next: Instant,
    attempts: u32,
}

/// First pause before a peer is told again, in milliseconds; doubled each time.
const PAUSE_FIRST_MS: u64 = 2_000;
/// The longest pause: a peer that is away for years costs a message in ten minutes, which its mailbox bounds.
const PAUSE_MAX_MS: u64 = 600_000;
/// A peer that is heard need not wait out a long pause, and one that never answers is not told more often than this.
const MET_MS: u64 = 10_000;

impl Telling {
    /// Looks who lacks an act; to be called when acts came, or a peer said or forgot that it knows them.
    pub fn sync<'a>(&mut self, now: Instant, acts: &Acts, peers: impl Iterator<Item = &'a AgencyId>) {
        let lacking: Vec<&AgencyId> = peers.filter(|peer| !acts.are_known_to(peer)).collect();
        self.peers.retain(|peer, _| lacking.contains(&peer));
        if self.said.is_some_and(|(_, named)| named != acts.0.len()) {
            self.said = None; // there are more of them now
            self.peers.clear();
        }
        for peer in lacking {
            self.peers.entry(peer.clone()).or_insert(Turn { told: None, next: now, attempts: 0 });
        }
    }

    /// A new incarnation: nobody listens to what an earlier one said.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// When [`Self::due`] has somebody next.
    pub fn poll(&self) -> Option<Instant> {
        self.peers.values().map(|turn| turn.next).min()
    }

    /// Who is to be told now.
    pub fn due(&mut self, now: Instant) -> Vec<AgencyId> {
        let due = self.peers.iter_mut().filter(|(_, turn)| turn.next <= now);
        due.map(|(peer, turn)| {
            turn.attempts += 1;
            let pause = (PAUSE_FIRST_MS << (turn.attempts - 1).min(16)).min(PAUSE_MAX_MS);
            (turn.told, turn.next) = (Some(now), Instant(now.0 + pause));
            peer.clone()
        })
        .collect()
    }

    /// A peer is there.
    pub fn met(&mut self, now: Instant, peer: &AgencyId) {
        if let Some(turn) = self.peers.get_mut(peer) {
            let soon = turn.told.map_or(now, |told| Instant(told.0 + MET_MS));
            turn.next = turn.next.min(soon);
        }
    }

    /// The answer that names as many acts as are known now.
    pub fn answer(&self, acts: &Acts) -> Option<LedgerIndex> {
        self.answer.filter(|(_, named)| *named == acts.0.len()).map(|(index, _)| index)
    }

    /// The answer was made, and names so many acts.
    pub fn answered(&mut self, index: LedgerIndex, named: usize) {
        self.answer = Some((index, named));
    }

    /// The word that is being said.
    pub fn said(&self) -> Option<LedgerIndex> {
        self.said.map(|(index, _)| index)
    }

    /// The word was made, and names so many acts.
    pub fn say(&mut self, index: LedgerIndex, named: usize) {
        self.said = Some((index, named));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::Act;
    use crate::ids::{Digest, WallMs};
    use alloc::collections::BTreeSet;

    fn id(name: &str) -> AgencyId {
        AgencyId::parse(name).unwrap()
    }

    fn acts(known_by: &[&str]) -> Acts {
        let known_by: BTreeSet<AgencyId> = known_by.iter().map(|name| id(name)).collect();
        let (epoch, made_at, index) = (1, WallMs(0), LedgerIndex(7));
        let act = Act { agency: id("gone"), successor: None, epoch, made_at, index, known_by };
        Acts(BTreeMap::from([(Digest([1; 32]), act)]))
    }

    #[test]
    fn a_peer_is_told_until_it_knows_and_sooner_when_it_is_met() {
        let (b, c) = (id("b"), id("c"));
        let mut telling = Telling::default();
        telling.sync(Instant(5), &acts(&["c"]), [&b, &c].into_iter());
        assert_eq!(telling.due(Instant(5)), core::slice::from_ref(&b));
        assert_eq!((telling.due(Instant(5)), telling.poll()), (Vec::new(), Some(Instant(2_005))));
        for attempt in 0..20 {
            let at = telling.poll().unwrap();
            assert_eq!(telling.due(at), core::slice::from_ref(&b), "{attempt}");
        }
        let last = telling.peers[&b];
        assert_eq!(last.next.0 - last.told.unwrap().0, PAUSE_MAX_MS);
        telling.met(last.told.unwrap(), &b);
        assert_eq!(telling.poll(), Some(Instant(last.told.unwrap().0 + MET_MS)));
        telling.sync(Instant(9), &acts(&["b", "c"]), [&b, &c].into_iter());
        assert_eq!((telling.poll(), telling.due(Instant(u64::MAX))), (None, Vec::new()));
    }

    #[test]
    fn a_new_act_is_said_anew() {
        let b = id("b");
        let mut telling = Telling::default();
        telling.sync(Instant(0), &acts(&[]), [&b].into_iter());
        telling.say(LedgerIndex(8), 1);
        assert_eq!(telling.due(Instant(0)), core::slice::from_ref(&b));
        telling.sync(Instant(1), &acts(&[]), [&b].into_iter());
        assert_eq!((telling.said(), telling.poll()), (Some(LedgerIndex(8)), Some(Instant(2_000))));
        let mut more = acts(&[]);
        let again = more.0[&Digest([1; 32])].clone();
        more.0.insert(Digest([2; 32]), again);
        telling.sync(Instant(1), &more, [&b].into_iter());
        assert_eq!((telling.said(), telling.poll()), (None, Some(Instant(1))));
    }
}
