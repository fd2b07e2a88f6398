//! The recovering node's side: who has stored the fence, who has given everything back, and what to say next.
//!
//! All of it may be forgotten: a restart begins with the same FENCE anew, and what was given back is in the ledger.

use super::pool::Pool;
use super::{ASKED_AT_ONCE, Ask, Given, Nonce, Word, giving};
use crate::authority::Acts;
use crate::custody::state::State;
use crate::ids::{AgencyId, Digest, Instant, Sid, TrackId};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// Progress of a recovery.
#[derive(Clone, Debug)]
pub struct Asking {
    fence: Sid,
    nonce: Nonce,
    round: u32,
    peers: BTreeMap<AgencyId, Progress>,
    /// Statements that were given back and follow something not known yet.
    pub(crate) pool: Pool,
    to_say: VecDeque<(AgencyId, ToSay)>,
    next: Instant,
    attempts: u32,
    /// Own statements that came back.
    pub returned: u64,
    /// Others' statements that came back.
    pub learned: u64,
}

/// What a peer has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Our fence stands there.
    pub fenced: bool,
    /// It recovers too.
    pub recovering: bool,
    /// Its own fence stands everywhere, as it says.
    pub stands: bool,
    /// It knows every act of the authority by which somebody else is not waited for.
    pub heeds: bool,
    /// It has given everything back.
    pub done: bool,
    asked: bool,
    round: u32,
    given: BTreeSet<u32>,
    seen: Option<TrackId>,
    after: Option<TrackId>,
}

/// What the node has to say to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToSay {
    /// The FENCE, again.
    Fence,
    /// This.
    Word(Word),
}

/// First pause before what is unanswered is said again, in milliseconds; doubled each time.
const PAUSE_FIRST_MS: u64 = 2_000;
/// The longest pause: who comes back after days waits no longer.
const PAUSE_MAX_MS: u64 = 60_000;

impl Asking {
    /// Nothing is answered yet. Rounds go on from `round`, so that no answer to an earlier question counts. `peers` are all whom the directory has beside this node.
    pub fn new(
        (fence, nonce, round): (Sid, Nonce, u32),
        peers: impl Iterator<Item = AgencyId>,
        now: Instant,
    ) -> Self {
        Self {
            fence,
            nonce,
            round,
            // Until acts say otherwise.
            peers: peers.map(|peer| (peer, Progress { heeds: true, ..Progress::default() })).collect(),
            pool: Pool::default(),
            to_say: VecDeque::new(),
            next: now,
            attempts: 0,
            returned: 0,
            learned: 0,
        }
    }

    /// Sets what is repeated in the answers, before anything is asked.
    pub fn renew(&mut self, nonce: Nonce) {
        self.nonce = nonce;
    }

    /// The last round asked.
    pub fn round(&self) -> u32 {
        self.round
    }

    /// Each peer and what it has done, for people to see who is waited for.
    pub fn peers(&self) -> impl Iterator<Item = (&AgencyId, &Progress)> {
        self.peers.iter()
    }

    /// Whether everything came back from everyone.
    pub fn is_done(&self) -> bool {
        self.may_ask() && self.peers.values().all(|p| p.done)
    }

    /// Own statements that came back and could not be placed: what they follow is gone everywhere.
    pub fn unplaced(&self, me: &AgencyId) -> usize {
        self.pool.unplaced(me)
    }

    /// When [`Self::due`] has something to say.
    pub fn poll(&self) -> Instant {
        if self.to_say.is_empty() { self.next } else { Instant(0) }
    }

    /// The next thing to say. What remained unanswered is said again from time to time.
    pub fn due(&mut self, now: Instant, state: &State) -> Option<(AgencyId, ToSay)> {
        if self.to_say.is_empty() && now >= self.next {
            self.attempts += 1;
            let pause = (PAUSE_FIRST_MS << (self.attempts - 1).min(16)).min(PAUSE_MAX_MS);
            self.next = Instant(now.0 + pause);
            self.peers.values_mut().for_each(|p| p.asked = false);
            self.say_again();
        }
        if self.to_say.is_empty() {
            self.ask(state);
        }
        self.to_say.pop_front()
    }

    /// Peers are not waited for once they are retired. What the others give back counts only after they know it too: until
    /// then one of them might still take what a retired one hands on.
    pub fn heed(&mut self, now: Instant, acts: &Acts) {
        self.peers.retain(|peer, _| !acts.retires(peer));
        self.to_say.retain(|(peer, _)| !acts.retires(peer));
        for (peer, progress) in &mut self.peers {
            let before = core::mem::replace(&mut progress.heeds, acts.are_known_to(peer));
            if before && !progress.heeds {
                let Progress { fenced, recovering, stands, .. } = *progress;
                *progress = Progress { fenced, recovering, stands, ..Progress::default() };
            }
            if !before && progress.heeds {
                (self.attempts, self.next) = (0, Instant(now.0 + PAUSE_FIRST_MS));
            }
        }
    }

    fn all_fenced(&self) -> bool {
        self.peers.values().all(|p| p.fenced)
    }

    /// What peers give back counts only when no fence is missing anywhere, of this node and of all who recover.
    fn may_ask(&self) -> bool {
        self.all_fenced() && self.peers.values().all(|p| p.heeds && (!p.recovering || p.stands))
    }

    fn say_again(&mut self) {
        let unfenced = self.peers.iter().filter(|(_, p)| !p.fenced);
        self.to_say.extend(unfenced.map(|(peer, _)| (peer.clone(), ToSay::Fence)));
        self.tell_stands();
    }

    fn tell_stands(&mut self) {
        if self.all_fenced() {
            let overlapping = self.peers.iter().filter(|(_, p)| p.recovering);
            let stands = Word::Stands { fence: self.fence };
            self.to_say.extend(overlapping.map(|(peer, _)| (peer.clone(), ToSay::Word(stands.clone()))));
        }
    }

    /// Asks one peer whose turn it is; one at a time, so that not all questions lie in memory.
    fn ask(&mut self, state: &State) {
        if !self.may_ask() {
            return;
        }
        let Some((peer, progress)) = self.peers.iter_mut().find(|(_, p)| !p.done && !p.asked) else { return };
        self.round += 1;
        (progress.asked, progress.round, progress.given) = (true, self.round, BTreeSet::new());
        let known = giving::known_with(state, peer);
        let after = progress.after.unwrap_or(Digest::ZERO);
        let of = known.len().div_ceil(ASKED_AT_ONCE).max(1) as u32;
        for number in 1..=of {
            let part = known.chunks(ASKED_AT_ONCE).nth(number as usize - 1).unwrap_or_default();
            let ask = Ask { nonce: self.nonce, round: self.round, number, of, after, tracks: part.to_vec() };
            self.to_say.push_back((peer.clone(), ToSay::Word(Word::Ask(ask))));
        }
    }

    fn moved(&mut self, now: Instant) {
        self.attempts = 0;
        self.next = Instant(now.0 + PAUSE_FIRST_MS);
    }

    /// The fence stands at a peer.
    pub fn fenced(&mut self, now: Instant, peer: &AgencyId, recovering: bool) {
        let Some(progress) = self.peers.get_mut(peer) else { return };
        let news = !progress.fenced;
        progress.fenced = true;
        progress.recovering |= recovering;
        if news {
            self.moved(now);
            self.tell_stands();
        }
    }

    /// A peer recovers too, from here on: what it said before, it may have forgotten.
    pub fn overlaps(&mut self, peer: &AgencyId) {
        if let Some(progress) = self.peers.get_mut(peer) {
            let heeds = progress.heeds;
            *progress = Progress { recovering: true, heeds, ..Progress::default() };
            self.next = Instant(0);
        }
    }

    /// A peer's fence stands everywhere, or it has ended its recovery.
    pub fn stands(&mut self, now: Instant, peer: &AgencyId) {
        if let Some(progress) = self.peers.get_mut(peer)
            && !progress.stands
        {
            progress.stands = true;
            self.moved(now);
        }
    }

    /// A peer answered a question.
    pub fn given(&mut self, now: Instant, peer: &AgencyId, given: &Given) {
        let current = |p: &&mut Progress| p.asked && p.round == given.round;
        let Some(progress) = self.peers.get_mut(peer).filter(current) else { return };
        if given.nonce != self.nonce {
            return;
        }
        progress.given.insert(given.number);
        progress.seen = progress.seen.max(given.track);
        if progress.given.len() == given.of as usize {
            (progress.asked, progress.done) = (false, !given.more);
            progress.after = progress.seen;
        }
        self.moved(now);
    }
}

/// All the words of a finished recovery that vouch for what is in the outbox.
pub fn vouching(fence: Sid, sids: Vec<Sid>) -> Vec<Word> {
    let mut words: Vec<Word> = sids
        .chunks(super::VOUCHED_AT_ONCE)
        .map(|some| Word::Resumed { fence, vouched: some.to_vec(), last: false })
        .collect();
    match words.last_mut() {
        Some(Word::Resumed { last, .. }) => *last = true,
        _ => words.push(Word::Resumed { fence, vouched: Vec::new(), last: true }),
    }
    words
}
