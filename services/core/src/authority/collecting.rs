//! A successor collects what is left of the dossiers that those held whom it succeeds ([`super::succeed`]): whom it asks, who
//! has answered, and when nothing more can come. Forget it all, and it is merely asked anew.

use super::Acts;
use crate::custody::state::State;
use crate::custody::track::{Phase, Track};
use crate::ids::{AgencyId, Digest, Instant, LedgerIndex, Sid, TrackId};
use crate::recovery::giving::exclusive_or;
use crate::recovery::pool::Pool;
use crate::recovery::{ASKED_AT_ONCE, Ask, Estate, GIVEN_AT_ONCE, Known, Left, Nonce};
use crate::statement::{Kind, Statement};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// First pause before what is unanswered is asked again, in milliseconds; doubled each time.
const PAUSE_FIRST_MS: u64 = 2_000;
/// The longest pause.
const PAUSE_MAX_MS: u64 = 60_000;
/// Rounds and turns that come at once. An honest peer gives all that its answers have room for in each round but the last of a
/// turn, and says in the one after that it has nothing else; and the turn after the one that brought everything brings nothing.
/// Only what comes to light meanwhile makes more of them, and that may as well be asked for later: every further one waits
/// twice as long as the one before, so that a peer which answers differently each time costs a question a minute, and no more.
const AT_ONCE: u32 = 2;

/// Why a track is left, when everybody has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remains<'c> {
    /// It lies in the inbox of these, who may still sign for it.
    Undecided(&'c BTreeSet<AgencyId>),
    /// A part of its past is lost with everybody: nobody can go on with it.
    PastLost,
}

/// Progress of a successor.
#[derive(Clone, Debug, Default)]
pub struct Collecting {
    /// The acts it was begun with: with others it begins anew.
    acts: BTreeSet<Sid>,
    /// Whose dossiers are collected; nobody's where there is nothing to do.
    estate: BTreeSet<AgencyId>,
    peers: BTreeMap<AgencyId, Progress>,
    /// Tracks that this turn asks everybody about.
    listed: BTreeSet<TrackId>,
    /// Whether something came to light in this turn: then there is another one.
    news: bool,
    /// Turns since the acts are these.
    turns: u32,
    /// When the last of them begins.
    begins: Instant,
    /// What has no place on its spine yet.
    pub(crate) pool: Pool,
    /// Tracks in the inbox of somebody who may still sign for them.
    undecided: BTreeMap<TrackId, BTreeSet<AgencyId>>,
    /// Nobody has anything else: these are to be taken over.
    concluded: Option<VecDeque<TrackId>>,
    /// Parts of a question that are not said yet.
    to_say: VecDeque<(AgencyId, Estate)>,
    next: Instant,
    attempts: u32,
}

/// How far one peer is.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The question that it is asked, in parts; none where it is to be asked a new one.
    question: Option<Vec<LedgerIndex>>,
    round: u32,
    given: BTreeSet<u32>,
    /// It has nothing else.
    done: bool,
    /// Before this it is not asked anew.
    not_before: Instant,
    /// Rounds of this turn that brought less than an answer has room for.
    poor: u32,
    /// Tracks of this round that it gave for the first time.
    fresh: usize,
    /// What it gave of each track, as [`Known`] tells it, and whether it knows of a custodian behind the retired one.
    seen: BTreeMap<TrackId, (Digest, bool)>,
}

impl Collecting {
    /// Begins anew where other acts are known now.
    pub fn sync(&mut self, now: Instant, state: &State, peers: impl Iterator<Item = AgencyId>) {
        let acts = &state.memory.acts;
        if acts.0.len() != self.acts.len() || !acts.0.keys().all(|sid| self.acts.contains(sid)) {
            self.begin(now, state, peers);
        }
    }

    /// Begins anew.
    pub fn begin(&mut self, now: Instant, state: &State, peers: impl Iterator<Item = AgencyId>) {
        let acts: BTreeSet<Sid> = state.memory.acts.0.keys().copied().collect();
        // Who says again and again that it has forgotten something makes nobody ask without end.
        let (turns, begins) = if acts == self.acts { (self.turns, self.begins) } else { (0, now) };
        *self = Self { acts, turns, begins, next: now, ..Self::default() };
        self.estate = state.memory.acts.left_to(&state.me);
        if self.is_active() {
            self.peers = peers.map(|peer| (peer, Progress::default())).collect();
            self.turn(now, state);
        }
    }

    /// Forgets everything: after a recovery it begins anew.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether this agency is the successor of anybody.
    pub fn is_active(&self) -> bool {
        !self.estate.is_empty()
    }

    /// Everybody is asked, also who has answered before.
    fn turn(&mut self, now: Instant, state: &State) {
        self.listed = state.held_by(&self.estate).map(|(id, _)| id).collect();
        self.news = false;
        self.to_say.clear();
        if self.begins <= now {
            self.begins = Instant(now.0 + pause_after(self.turns));
            self.turns = self.turns.saturating_add(1);
        }
        for peer in self.peers.values_mut() {
            peer.ask_again(self.begins);
            (peer.done, peer.poor) = (false, 0);
        }
    }

    /// When there is something to say or to do.
    pub fn poll(&self) -> Option<Instant> {
        match &self.concluded {
            _ if !self.is_active() => None,
            Some(tracks) => (!tracks.is_empty()).then_some(Instant(0)),
            None if !self.to_say.is_empty() => Some(Instant(0)),
            None => Some(self.unasked().map_or(self.next, |(_, at)| at.min(self.next))),
        }
    }

    /// Who is to be asked a new question first, and when.
    fn unasked(&self) -> Option<(&AgencyId, Instant)> {
        let unasked = self.peers.iter().filter(|(_, p)| !p.done && p.question.is_none());
        unasked.map(|(peer, p)| (peer, p.not_before)).min_by_key(|(_, at)| *at)
    }

    /// The next part of a question to say. One peer's is made at a time, so that not all of them lie in memory.
    pub fn ask(
        &mut self,
        now: Instant,
        state: &State,
        (nonce, round): (Nonce, &mut u32),
    ) -> Option<(AgencyId, Estate)> {
        if self.to_say.is_empty() {
            let (peer, _) = self.unasked().filter(|(_, at)| *at <= now)?;
            let peer = peer.clone();
            *round += 1;
            self.to_say = self.question(state, &peer, (nonce, *round));
            if let Some(progress) = self.peers.get_mut(&peer) {
                (progress.question, progress.round) = (Some(Vec::new()), *round);
            }
        }
        self.to_say.pop_front()
    }

    /// What is listed, and what the peer has given where it knows of no later custodian, each with what it has given.
    fn question(
        &self,
        state: &State,
        peer: &AgencyId,
        (nonce, round): (Nonce, u32),
    ) -> VecDeque<(AgencyId, Estate)> {
        let Some(Progress { seen, .. }) = self.peers.get(peer) else { return VecDeque::new() };
        let stale = seen.iter().filter(|(_, (_, moved_on))| !moved_on).map(|(id, _)| id);
        let ids: BTreeSet<TrackId> = self.listed.iter().chain(stale).copied().collect();
        let lacks = |id: &TrackId| {
            let track = state.track(id).filter(|t| t.commitment.is_some() && t.content.is_none());
            track.is_some_and(|t| self.collects(t))
        };
        let known = ids.into_iter().map(|track| Known {
            track,
            statements: seen.get(&track).map_or(Digest::ZERO, |(given, _)| *given),
            has_content: !lacks(&track),
        });
        let known: Vec<Known> = known.collect();
        let acts: Vec<Sid> = self.acts.iter().copied().collect();
        let of = known.len().div_ceil(ASKED_AT_ONCE).max(1) as u32;
        let parts = (1..=of).map(|number| {
            let tracks = known.chunks(ASKED_AT_ONCE).nth(number as usize - 1).unwrap_or_default().to_vec();
            let ask = Ask { nonce, round, number, of, after: Digest::ZERO, tracks };
            (peer.clone(), Estate { acts: acts.clone(), ask })
        });
        parts.collect()
    }

    /// A part is said; it is said again from time to time until the peer has answered.
    pub fn asked(&mut self, now: Instant, peer: &AgencyId, part: LedgerIndex) {
        let question = self.peers.get_mut(peer).and_then(|p| p.question.as_mut());
        question.into_iter().for_each(|question| question.push(part));
        (self.next, self.attempts) = (Instant(now.0 + PAUSE_FIRST_MS), 0);
    }

    /// Whether it is to be collected what is left of a track.
    pub fn collects(&self, track: &Track) -> bool {
        track.returned.is_none() && self.estate.contains(track.custodian())
    }

    /// What is to be asked again.
    pub fn due(&mut self, now: Instant) -> Vec<(AgencyId, LedgerIndex)> {
        if !self.is_active() || self.concluded.is_some() || now < self.next {
            return Vec::new();
        }
        self.attempts += 1;
        let pause = (PAUSE_FIRST_MS << (self.attempts - 1).min(16)).min(PAUSE_MAX_MS);
        self.next = Instant(now.0 + pause);
        let unanswered = self.peers.iter().filter(|(_, p)| !p.done);
        unanswered
            .flat_map(|(peer, p)| p.question.iter().flatten().map(|index| (peer.clone(), *index)))
            .collect()
    }

    /// Whether an answer is one to the question that a peer is asked.
    pub fn awaits(&self, peer: &AgencyId, left: &Left) -> bool {
        let asked = |p: &Progress| !p.done && p.question.is_some() && p.round == left.given.round;
        self.peers.get(peer).is_some_and(asked)
    }

    /// A peer gave an answer; `news` tells whether anything of it was new here.
    pub fn answered(
        &mut self,
        now: Instant,
        (peer, left): (&AgencyId, &Left),
        statements: &[Arc<Statement>],
        news: bool,
    ) {
        let Some(progress) = self.peers.get_mut(peer) else { return };
        self.news |= news;
        let given = &left.given;
        let Some(track) = given.track else {
            progress.done = true;
            return;
        };
        let of_it = statements.iter().filter(|s| s.track() == Some(track) && s.body.kind() != Kind::Cancel);
        let before = progress.seen.insert(track, (exclusive_or(of_it.map(|s| s.sid())), left.moved_on));
        progress.fresh += usize::from(before.is_none());
        let inboxes = self.undecided.entry(track).or_default();
        if left.undecided {
            inboxes.insert(peer.clone());
        } else {
            inboxes.remove(peer);
        }
        progress.given.insert(given.number);
        if progress.given.len() >= given.of as usize {
            if progress.fresh < GIVEN_AT_ONCE {
                progress.poor = progress.poor.saturating_add(1);
            }
            progress.ask_again(Instant(now.0 + pause_after(progress.poor)));
        }
    }

    /// Everybody has answered: another turn where something came to light, and otherwise nothing more can come. `settled`: this
    /// agency has no open question about its own offers.
    pub fn conclude(&mut self, now: Instant, state: &State, settled: bool) {
        let all = self.is_active() && self.concluded.is_none() && self.peers.values().all(|p| p.done);
        if !all || !settled {
            return;
        }
        let held: BTreeSet<TrackId> = state.held_by(&self.estate).map(|(id, _)| id).collect();
        if self.news || held != self.listed {
            self.turn(now, state);
        }
        if self.peers.values().all(|p| p.done) {
            self.concluded = Some(held.into_iter().collect());
        }
    }

    /// The next track to take over, and whether it lies in somebody's inbox. What has no place is left alone.
    pub fn conclusion(&mut self, state: &State) -> Option<(TrackId, bool)> {
        loop {
            let track = self.concluded.as_mut()?.pop_front()?;
            if !self.doubts(state, &track) {
                return Some((track, self.undecided.get(&track).is_some_and(|inboxes| !inboxes.is_empty())));
            }
        }
    }

    /// Whether what a peer gave of a track may be learned: where this agency acts on it itself, it knows better, and what is
    /// new here must have been in the hands of one whom it succeeds, so that nobody can make it keep anything else.
    pub fn may_learn(&self, acts: &Acts, track: Option<&Track>, given: &[Arc<Statement>]) -> bool {
        let Some(track) = track else {
            return given.iter().any(|s| self.estate.contains(&s.claim.agency));
        };
        match track.phase {
            Phase::Followed | Phase::Gone | Phase::Out => true,
            Phase::Offered(tid) => track.transfers.get(&tid).is_some_and(|t| acts.retires(&t.to)),
            Phase::Held | Phase::Inbox(_) => false,
        }
    }

    /// Whether something of a track came to light that has no place, and may have had one: it is left alone.
    pub fn doubts(&self, state: &State, track: &TrackId) -> bool {
        self.pool.makers(track).any(|maker| state.may_have_lost(maker))
    }

    /// Why a track of one that is retired is left; none before everybody has answered.
    pub fn remains(&self, state: &State, id: &TrackId, track: &Track) -> Option<Remains<'_>> {
        self.concluded.as_ref()?;
        match self.undecided.get(id).filter(|inboxes| !inboxes.is_empty()) {
            Some(inboxes) => Some(Remains::Undecided(inboxes)),
            None => (self.doubts(state, id) || state.past_lost(track)).then_some(Remains::PastLost),
        }
    }

    /// Who has not answered, for people to see who is waited for.
    pub fn waits_for(&self) -> impl Iterator<Item = &AgencyId> {
        self.peers.iter().filter(|(_, p)| !p.done).map(|(peer, _)| peer)
    }
}

impl Progress {
    fn ask_again(&mut self, not_before: Instant) {
        (self.question, self.not_before, self.fresh) = (None, not_before, 0);
        self.given.clear();
    }
}

/// How long a round or a turn waits of which so many came before it.
fn pause_after(before: u32) -> u64 {
    match before.checked_sub(AT_ONCE) {
        None => 0,
        Some(more) => (PAUSE_FIRST_MS << more.min(16)).min(PAUSE_MAX_MS),
    }
}
