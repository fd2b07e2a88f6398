//! RECLAIM: what was offered to an agency that is retired, and that it never accepted as far as anybody knows, is its giver's
//! again.
//!
//! The giver asks every agency of the directory that is not retired. SEEK names the acts, which lie beside it, and the
//! transfers; who answers SOUGHT has all these acts on disk, so that from then on it takes nothing of a retired agency from
//! itself, and gives whatever statements of the receiver it has about those tracks. So whoever knows of an acceptance told
//! of it before, or learned it from somebody who did:
//!
//! - one who has it straight from the receiver had it before its own fence, so before its answer;
//! - one who has it from a certificate of a third had it from somebody for whom the same holds;
//! - one who is retired too is fenced by everybody who answered, and can hand it to nobody.
//!
//! An ACCEPT or REFUSE that comes is taken like any. Something else of the receiver that only a custodian makes, without
//! its ACCEPT, is doubt: then nothing is reclaimed, for it did accept and the proof is lost. Nothing from anybody: the giver
//! signs RECLAIM(track, tid, hop, act) on the spine, in the place of the decision, and holds the track. Whoever walks the
//! spine takes it only with the act beside it, both signatures verified ([`crate::custody::spine`]).
//!
//! All of the asking may be forgotten: after a restart it begins anew. While the giver recovers it asks nothing.

use super::Acts;
use crate::custody::state::State;
use crate::custody::track::{Entry, Phase, Track};
use crate::delivery::outbox::Awaits;
use crate::ids::{AgencyId, Hop, Instant, LedgerIndex, Sid, Tid, TrackId};
use crate::statement::{AckItem, Body, Kind, Statement};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Body of a RECLAIM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reclaim {
    /// The track.
    pub track: TrackId,
    /// The transfer, which is also the predecessor on the spine.
    pub tid: Tid,
    /// Number of the offer.
    pub hop: Hop,
    /// The act that retires the receiver.
    pub act: Sid,
}

/// Transfers sought at once: an answer with a decision on each of them fits one envelope.
pub const SOUGHT_AT_ONCE: usize = 128;
/// Answers remembered: what is asked again while they last is not answered by a new statement.
const ANSWERS: usize = 1_024;
/// First pause before what is unanswered is asked again, in milliseconds; doubled each time.
const PAUSE_FIRST_MS: u64 = 2_000;
/// The longest pause.
const PAUSE_MAX_MS: u64 = 60_000;

/// What a giver seeks.
#[derive(Clone, Debug, Default)]
pub struct Seeking {
    /// The acts it was begun with: with others it begins anew.
    acts: BTreeSet<Sid>,
    /// Not asked yet, by receiver.
    fresh: BTreeMap<AgencyId, Vec<AckItem>>,
    parts: BTreeMap<Sid, Part>,
    /// Transfers whose receiver acted as a custodian, though nobody has its ACCEPT.
    doubted: BTreeSet<Tid>,
    next: Instant,
    attempts: u32,
    /// What this node answered to others' SEEKs.
    answers: BTreeMap<Sid, LedgerIndex>,
}

/// One SEEK.
#[derive(Clone, Debug)]
struct Part {
    index: LedgerIndex,
    items: Vec<AckItem>,
    answered: BTreeSet<AgencyId>,
}

impl Seeking {
    /// Begins anew where other acts are known now; `offers` are those to retired agencies that are not decided.
    pub fn sync(&mut self, now: Instant, acts: &Acts, offers: impl Iterator<Item = (AgencyId, AckItem)>) {
        let known: BTreeSet<Sid> = acts.0.keys().copied().collect();
        if known != self.acts {
            let answers = core::mem::take(&mut self.answers);
            *self = Self { acts: known, next: now, answers, ..Self::default() };
            for (to, item) in offers {
                self.fresh.entry(to).or_default().push(item);
            }
        }
    }

    /// Whether nothing is asked, and nothing is to be.
    pub fn is_idle(&self) -> bool {
        self.fresh.is_empty() && self.parts.is_empty()
    }

    /// Forgets everything: after a recovery it begins anew.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The SOUGHT that was given to a SEEK: whoever asks again gets the same.
    pub fn answer(&self, seek: &Sid) -> Option<LedgerIndex> {
        self.answers.get(seek).copied()
    }

    /// A SOUGHT was made. All of them may be forgotten.
    pub fn gave(&mut self, seek: Sid, index: LedgerIndex) {
        if self.answers.len() >= ANSWERS {
            self.answers.clear();
        }
        self.answers.insert(seek, index);
    }

    /// Whether a peer has not answered a SEEK of ours yet.
    pub fn awaits(&self, seek: &Sid, peer: &AgencyId) -> bool {
        self.parts.get(seek).is_some_and(|part| !part.answered.contains(peer))
    }

    /// When there is something to ask.
    pub fn poll(&self) -> Option<Instant> {
        if self.fresh.is_empty() { (!self.parts.is_empty()).then_some(self.next) } else { Some(Instant(0)) }
    }

    /// Transfers that are to be asked for in a SEEK of their own.
    pub fn fresh(&mut self) -> Option<(AgencyId, Vec<AckItem>)> {
        let mut first = self.fresh.first_entry()?;
        let (to, of) = (first.key().clone(), first.get_mut());
        let some = of.drain(..of.len().min(SOUGHT_AT_ONCE)).collect();
        if of.is_empty() {
            first.remove();
        }
        Some((to, some))
    }

    /// The acts that a SEEK names.
    pub fn acts(&self) -> Vec<Sid> {
        self.acts.iter().copied().collect()
    }

    /// A SEEK was made; it is sent at once.
    pub fn asked(&mut self, now: Instant, (sid, index): (Sid, LedgerIndex), items: Vec<AckItem>) {
        self.parts.insert(sid, Part { index, items, answered: BTreeSet::new() });
        (self.next, self.attempts) = (now, 0);
    }

    /// What is to be said again, and to whom.
    pub fn due<'p>(&mut self, now: Instant, peers: &[&'p AgencyId]) -> Vec<(&'p AgencyId, LedgerIndex)> {
        if self.parts.is_empty() || now < self.next {
            return Vec::new();
        }
        self.attempts += 1;
        let pause = (PAUSE_FIRST_MS << (self.attempts - 1).min(16)).min(PAUSE_MAX_MS);
        self.next = Instant(now.0 + pause);
        let unanswered = self.parts.values().flat_map(|part| {
            peers.iter().filter(|peer| !part.answered.contains(**peer)).map(|peer| (*peer, part.index))
        });
        unanswered.collect()
    }

    /// What a SEEK of ours asked for, while it is not answered by all.
    pub fn items(&self, seek: &Sid) -> Option<&[AckItem]> {
        self.parts.get(seek).map(|part| &*part.items)
    }

    /// The receiver acted as a custodian.
    pub fn doubt(&mut self, tid: Tid) {
        self.doubted.insert(tid);
    }

    /// A peer answered; the transfers of the SEEK that nobody knows a decision on, when it was the last one missing.
    pub fn answered(&mut self, seek: &Sid, peer: &AgencyId, peers: &[&AgencyId]) -> Vec<AckItem> {
        let Some(part) = self.parts.get_mut(seek) else { return Vec::new() };
        part.answered.insert(peer.clone());
        if !peers.iter().all(|peer| part.answered.contains(*peer)) {
            return Vec::new();
        }
        let part = self.parts.remove(seek).map_or_else(Vec::new, |part| part.items);
        part.into_iter().filter(|item| !self.doubted.contains(&item.sid)).collect()
    }

    /// Every SEEK that nobody is left to answer, such as where all others are retired.
    pub fn unasked(&mut self, peers: &[&AgencyId]) -> Vec<AckItem> {
        let done = |part: &Part| peers.iter().all(|peer| part.answered.contains(*peer));
        let done: Vec<Sid> = self.parts.iter().filter(|(_, p)| done(p)).map(|(sid, _)| *sid).collect();
        let items = done.into_iter().filter_map(|sid| self.parts.remove(&sid)).flat_map(|part| part.items);
        items.filter(|item| !self.doubted.contains(&item.sid)).collect()
    }
}

impl State {
    /// Offers of this agency to retired ones that are not decided, each with its receiver.
    pub fn offered_to_retired(&self) -> impl Iterator<Item = (AgencyId, AckItem)> {
        let rows = self.outbox.rows().filter(|((_, to), row)| {
            let offer = row.kind == Kind::Offer && row.awaits != Awaits::Ack;
            offer && self.memory.acts.retires(to) && self.is_open(row.track, row.sid)
        });
        rows.map(|((_, to), row)| (to.clone(), AckItem { track: row.track, sid: row.sid }))
    }

    /// Whether an offer of this agency is not decided, as far as is known here.
    pub fn is_open(&self, track: TrackId, tid: Tid) -> bool {
        self.track(&track).is_some_and(|t| t.phase == Phase::Offered(tid))
    }

    /// What a peer gives to a SEEK about one transfer to `receiver`: the decision on it, and one more statement that shows the
    /// receiver to have acted on it. More would not fit an envelope, and proves no more.
    pub fn sought(&self, receiver: &AgencyId, item: &AckItem) -> Vec<LedgerIndex> {
        let Some(track) = self.track(&item.track) else { return Vec::new() };
        let decides = |e: &&Entry| e.prev == Some(item.sid) && matches!(e.kind, Kind::Accept | Kind::Refuse);
        let decision = later(track, &item.sid, receiver).find(decides);
        let other = later(track, &item.sid, receiver).find(|e| !decides(e));
        decision.into_iter().chain(other).map(|entry| entry.index).collect()
    }

    /// Whether a statement that a peer gave to a SEEK shows that its maker took the track over.
    pub fn is_later(&self, item: &AckItem, statement: &Statement) -> bool {
        let before = self.track(&item.track).map(|track| before(track, &item.sid)).unwrap_or_default();
        statement.track() == Some(item.track) && !before.contains(&statement.sid())
    }

    /// The statement by which this agency takes a track back; `None` where it may not, or not any more.
    pub fn reclaim(&self, item: &AckItem) -> Option<Reclaim> {
        let AckItem { track, sid: tid } = *item;
        let known = self.track(&track).filter(|_| self.is_open(track, tid))?;
        let transfer = known.transfers.get(&tid)?;
        let (act, _) = self.memory.acts.standing(&transfer.to)?;
        let acted = later(known, &tid, &transfer.to).next().is_some();
        (!acted).then_some(Reclaim { track, tid, hop: transfer.hop, act: *act })
    }

    /// The decision on a transfer of this agency that a peer has, where it is one that may be taken.
    pub fn is_decision(&self, statement: &Arc<Statement>) -> bool {
        let (track, tid, hop) = match &statement.body {
            Body::Accept(b) => (b.track, b.tid, b.hop),
            Body::Refuse(b) => (b.track, b.tid, b.hop),
            _ => return false,
        };
        let transfer = self.track(&track).and_then(|t| t.transfers.get(&tid));
        let right = transfer.is_some_and(|t| t.to == statement.claim.agency && t.hop == hop);
        right && self.is_open(track, tid)
    }

    /// Acts without which nobody takes the spine of a track.
    pub fn acts_of(&self, track: &Track) -> Vec<LedgerIndex> {
        let on_an_act = |e: &&Entry| matches!(e.kind, Kind::Reclaim | Kind::Succeed);
        if !track.entries.iter().any(|e| on_an_act(&e)) {
            return Vec::new();
        }
        let reclaimed = track.entries.iter().filter(|e| e.kind == Kind::Reclaim).filter_map(|e| e.prev);
        let receivers: BTreeSet<&AgencyId> =
            reclaimed.filter_map(|tid| track.transfers.get(&tid)).map(|t| &t.to).collect();
        let makers = |succeed: bool| {
            let all = track.entries.iter().filter(move |e| !succeed || e.kind == Kind::Succeed);
            all.map(|e| &e.maker).collect::<BTreeSet<_>>()
        };
        // Whoever held a track made a statement by which it came to hold it.
        let (held, successors) = (makers(false), makers(true));
        let acts = self.memory.acts.0.values().filter(|act| {
            let left =
                held.contains(&act.agency) && act.successor.as_ref().is_some_and(|s| successors.contains(s));
            left || receivers.contains(&act.agency)
        });
        acts.map(|act| act.index).collect()
    }

    /// Places of the certificate up to and with `sid`: the spine, and behind the intake the acts that it rests on.
    pub fn certificate_to(&self, track: &Track, sid: &Sid) -> Option<Vec<LedgerIndex>> {
        let mut spine = track.spine_to(sid)?;
        spine.splice(1..1, self.acts_of(track));
        Some(spine)
    }
}

/// A transfer and what comes before it on the spine, as far as that is known here.
fn before(track: &Track, tid: &Tid) -> BTreeSet<Sid> {
    let mut before = BTreeSet::new();
    let mut at = Some(*tid);
    while let Some(entry) = at.and_then(|sid| track.entry(&sid)) {
        before.insert(entry.sid);
        at = entry.prev;
    }
    before
}

/// What `receiver` put on the spine and not before the transfer.
fn later<'t>(track: &'t Track, tid: &Tid, receiver: &'t AgencyId) -> impl Iterator<Item = &'t Entry> {
    let before = before(track, tid);
    let theirs = move |e: &&Entry| e.prev.is_some() && e.maker == *receiver && !before.contains(&e.sid);
    track.entries.iter().filter(theirs)
}
