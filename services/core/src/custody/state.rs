//! Everything one agency knows, made from its records and nothing else.

use super::track::{Phase, Track};
use super::tracks::Tracks;
use crate::delivery::outbox::Outbox;
use crate::ids::{AgencyId, Digest, Head, Incarnation, LedgerIndex, Sid, Tid, TrackId};
use crate::recovery::Memory;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The state of an agency. Equal ledgers give equal states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The agency.
    pub me: AgencyId,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// The next record's place.
    pub next: LedgerIndex,
    /// Ledger as of the last durable batch; what claims state.
    pub durable: Head,
    /// Tracks by id.
    pub tracks: Tracks,
    /// The track of each transfer known.
    pub transfers: BTreeMap<Tid, TrackId>,
    /// Dossier codes known here.
    pub codes: BTreeSet<(Arc<str>, TrackId)>,
    /// Highest running number of codes taken in by day and agency code ([`crate::code::counter`]), the last
    /// [`DAYS_COUNTED`] of them.
    pub numbers: BTreeMap<Arc<str>, u32>,
    /// Commands done, by idempotency key.
    pub commands: BTreeMap<Arc<str>, CommandDone>,
    /// What waits for answers of peers.
    pub outbox: Outbox,
    /// Quarantined envelopes by peer and SHA-256: each is kept once, however often it comes.
    pub quarantined: BTreeMap<AgencyId, BTreeMap<Digest, LedgerIndex>>,
    /// Fences, pins, and this agency's own recovery.
    pub memory: Memory,
}

/// Code counters kept: an officer may finish yesterday's intake; an older day is counted anew from its codes.
pub const DAYS_COUNTED: usize = 16;

/// A command that was carried out, for answering the same key again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandDone {
    /// Of the request without the key.
    pub digest: Digest,
    /// What it was about; zero for a checkpoint.
    pub track: TrackId,
    /// The statement it made.
    pub sid: Sid,
    /// Its place in the ledger.
    pub index: LedgerIndex,
}

impl State {
    /// The state of an empty ledger.
    pub fn new(me: AgencyId) -> Self {
        Self {
            me,
            incarnation: Incarnation(0),
            next: LedgerIndex(0),
            durable: Head::EMPTY,
            tracks: Tracks::default(),
            transfers: BTreeMap::new(),
            codes: BTreeSet::new(),
            numbers: BTreeMap::new(),
            commands: BTreeMap::new(),
            outbox: Outbox::default(),
            quarantined: BTreeMap::new(),
            memory: Memory::default(),
        }
    }

    /// Fills what follows from the tracks: the indexes by transfer and by code. For a state read from a snapshot.
    pub fn index_tracks(&mut self) {
        for (id, kept) in self.tracks.iter() {
            let track = kept.read();
            self.codes.insert((track.code.clone(), *id));
            self.transfers.extend(track.transfers.keys().map(|tid| (*tid, *id)));
        }
    }

    /// A track by id.
    pub fn track(&self, id: &TrackId) -> Option<&Track> {
        self.tracks.get(id)
    }

    /// Tracks with this dossier code: one taken in here comes alone, others as they are.
    pub fn by_code(&self, code: &str) -> Vec<TrackId> {
        let first = (Arc::from(code), Digest::ZERO);
        let all: Vec<TrackId> =
            self.codes.range(first..).take_while(|(c, _)| &**c == code).map(|(_, id)| *id).collect();
        match all.iter().find(|id| self.track(id).is_some_and(|t| t.origin == self.me)) {
            Some(own) => Vec::from([*own]),
            None => all,
        }
    }

    /// Whether a dossier with this code was taken in here.
    pub fn code_in_use(&self, code: &str) -> bool {
        self.by_code(code).iter().any(|id| self.track(id).is_some_and(|t| t.origin == self.me))
    }

    /// How many tracks stand in each phase; closed ones count as closed only.
    pub fn census(&self) -> Census {
        let mut census = Census { closed: self.tracks.closed() as u64, ..Census::default() };
        for (_, track) in self.tracks.open() {
            let slot = match track.phase {
                Phase::Followed => &mut census.followed,
                Phase::Held => &mut census.held,
                Phase::Offered(_) => &mut census.offered,
                Phase::Inbox(_) => &mut census.inbox,
                Phase::Gone => &mut census.gone,
                Phase::Out => &mut census.out,
            };
            *slot += 1;
        }
        census
    }
}

/// Counts of tracks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // one count per phase
pub struct Census {
    pub followed: u64,
    pub held: u64,
    pub offered: u64,
    pub inbox: u64,
    pub gone: u64,
    pub out: u64,
    pub closed: u64,
}
