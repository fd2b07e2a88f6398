//! The peer's side: to compare what the asker knows with what is here, and to give back what differs.

use super::{Ask, GIVEN_AT_ONCE, Given, Known, Left, Nonce, Word};
use crate::custody::state::State;
use crate::custody::track::{Phase, Track};
use crate::custody::tracks::Kept;
use crate::ids::{AgencyId, Digest, LedgerIndex, Sid, TrackId};
use crate::statement::Kind;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::Bound;

/// Parts of a question until it is whole. Forgotten at a restart: the asker asks again.
#[derive(Clone, Debug, Default)]
pub struct Gathering {
    nonce: Nonce,
    round: u32,
    parts: BTreeMap<u32, Vec<Known>>,
}

/// What is given back of one track: places in this ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gift {
    /// What is said of it.
    pub word: Word,
    /// Its statements.
    pub statements: Vec<LedgerIndex>,
    /// The record with its content, where the asker has none.
    pub content: Option<LedgerIndex>,
}

impl Gathering {
    /// Takes a part; the whole question when it is the last one missing.
    pub fn take(&mut self, ask: &Ask) -> Option<BTreeMap<TrackId, Known>> {
        // A restart counts rounds anew: the newest question is the one that came last.
        if (ask.nonce, ask.round) != (self.nonce, self.round) {
            *self = Self { nonce: ask.nonce, round: ask.round, parts: BTreeMap::new() };
        }
        self.parts.insert(ask.number, ask.tracks.clone());
        if self.parts.len() < ask.of as usize {
            return None;
        }
        let parts = core::mem::take(&mut self.parts).into_values().flatten();
        Some(parts.map(|known| (known.track, known)).collect())
    }
}

/// Answers a whole question: at most [`GIVEN_AT_ONCE`] tracks, and one empty answer where nothing differs.
pub fn answer(state: &State, asker: &AgencyId, ask: &Ask, known: &BTreeMap<TrackId, Known>) -> Vec<Gift> {
    let mut missing = state.tracks.range(Bound::Excluded(&ask.after)).filter_map(|(id, kept)| {
        let track = &*kept.read();
        let known = known.get(id);
        let same = known.is_some_and(|known| is_same(track, known));
        (related(track, asker) && !same).then(|| (*id, kept.clone(), known.is_some_and(|k| k.has_content)))
    });
    let some: Vec<_> = missing.by_ref().take(GIVEN_AT_ONCE).collect();
    gifts(state, ask, some, missing.next().is_some(), |given, _| Word::Given(given))
}

/// Answers the whole question of a successor: what it lacks of the tracks it names, and every other that one whom it succeeds
/// holds as far as is known here ([`crate::authority::succeed`]).
pub fn left(state: &State, asker: &AgencyId, ask: &Ask, known: &BTreeMap<TrackId, Known>) -> Vec<Gift> {
    let estate = state.memory.acts.left_to(asker);
    let held = state.tracks.open().filter(|(_, track)| estate.contains(track.custodian()));
    let ids: BTreeSet<TrackId> = held.map(|(id, _)| *id).chain(known.keys().copied()).collect();
    let mut missing = ids.into_iter().filter_map(|id| {
        let (kept, known) = (state.tracks.kept(&id)?, known.get(&id));
        let same = known.is_some_and(|known| is_same(&kept.read(), known));
        (!same).then(|| (id, kept, known.is_some_and(|k| k.has_content)))
    });
    let some: Vec<_> = missing.by_ref().take(GIVEN_AT_ONCE).collect();
    let word = |given, track: Option<&Track>| {
        let undecided = track.is_some_and(|t| matches!(t.phase, Phase::Inbox(_)));
        let moved_on = track.is_some_and(|t| !estate.contains(t.custodian()));
        Word::Left(Left { given, undecided, moved_on })
    };
    gifts(state, ask, some, missing.next().is_some(), word)
}

fn is_same(track: &Track, known: &Known) -> bool {
    known.statements == fingerprint(track) && (known.has_content || track.content.is_none())
}

fn gifts(
    state: &State,
    ask: &Ask,
    some: Vec<(TrackId, Kept, bool)>,
    more: bool,
    word: impl Fn(Given, Option<&Track>) -> Word,
) -> Vec<Gift> {
    let (nonce, round) = (ask.nonce, ask.round);
    let of = some.len().max(1) as u32;
    let given = |number, track| Given { nonce, round, number, of, more, track };
    if some.is_empty() {
        return Vec::from([Gift { word: word(given(1, None), None), statements: Vec::new(), content: None }]);
    }
    let gift = |(number, (id, kept, has_content)): (u32, (TrackId, Kept, bool))| {
        let track = &*kept.read();
        Gift {
            word: word(given(number, Some(id)), Some(track)),
            statements: state.acts_of(track).into_iter().chain(statements(track).map(|e| e.index)).collect(),
            content: track.content.filter(|_| !has_content),
        }
    };
    (1..).zip(some).map(gift).collect()
}

/// What this node knows of the tracks that `peer` has part in, as far as is known here.
pub fn known_with(state: &State, peer: &AgencyId) -> Vec<Known> {
    let with = state.tracks.iter().filter_map(|(id, kept)| {
        let track = &*kept.read();
        related(track, peer).then(|| Known {
            track: *id,
            statements: fingerprint(track),
            has_content: track.content.is_some(),
        })
    });
    with.collect()
}

/// Whether an agency took part in a track: it took it in, made a statement on it, gave or was offered it.
fn related(track: &Track, agency: &AgencyId) -> bool {
    track.origin == *agency
        || track.transfers.values().any(|t| t.from == *agency || t.to == *agency)
        || track.entries.iter().any(|e| e.maker == *agency)
}

/// A recall that was not decided may be asked again, and one that was is in its decision: it need not come back.
fn statements(track: &Track) -> impl Iterator<Item = &crate::custody::track::Entry> {
    track.entries.iter().filter(|e| e.kind != Kind::Cancel)
}

fn fingerprint(track: &Track) -> Digest {
    exclusive_or(statements(track).map(|entry| entry.sid))
}

/// Equal for equal sets of sids.
pub(crate) fn exclusive_or(sids: impl Iterator<Item = Sid>) -> Digest {
    let mut all = [0; 32];
    sids.for_each(|sid| all.iter_mut().zip(sid.0).for_each(|(a, b)| *a ^= b));
    Digest(all)
}
