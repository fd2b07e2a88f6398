//! Everything one agency knows, made from its records and nothing else.

use super::commands::{About, Commands, Kept, Short};
use super::table::Table;
use super::track::{Phase, Track};
use super::tracks::Tracks;
use crate::delivery::outbox::Outbox;
use crate::ids::{AgencyId, Digest, Head, Incarnation, LedgerIndex, Sid, Spread, Tid, TrackId};
use crate::recovery::Memory;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;

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
    pub transfers: Table<Tid, TrackId>,
    /// Tracks by the hash of their dossier code: [`State::by_code`] tells those of one code.
    pub codes: Table<(u64, TrackId), ()>,
    /// Highest running number of codes taken in by day and agency code ([`crate::code::counter`]), the last
    /// [`DAYS_COUNTED`] of them.
    pub numbers: BTreeMap<Arc<str>, u32>,
    /// Commands done, by idempotency key.
    pub commands: Commands,
    /// What waits for answers of peers.
    pub outbox: Outbox,
    /// Quarantined envelopes by peer and SHA-256: each is kept once, however often it comes.
    pub quarantined: BTreeMap<AgencyId, BTreeMap<Digest, LedgerIndex>>,
    /// Fences, pins, and this agency's own recovery.
    pub memory: Memory,
}

/// Keys of the index by code, whose hash comes first.
impl Spread for (u64, TrackId) {
    fn spread(&self) -> u64 {
        self.0
    }
}

/// Code counters kept: an officer may finish yesterday's intake; an older day is counted anew from its codes.
pub const DAYS_COUNTED: usize = 16;

/// A command that was carried out, for answering the same key again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandDone {
    /// Beginning of the digest of the request without the key.
    pub digest: Short,
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
            transfers: Table::default(),
            codes: Table::default(),
            numbers: BTreeMap::new(),
            commands: Commands::default(),
            outbox: Outbox::default(),
            quarantined: BTreeMap::new(),
            memory: Memory::default(),
        }
    }

    /// Puts a track in its place with what follows from it, the indexes by transfer and by code. For a state read from a
    /// snapshot; `packed` is what it is packed, where it is closed.
    pub fn put_track(&mut self, id: TrackId, track: Track, packed: Option<Arc<[u8]>>) {
        self.codes.put((hash(&track.code), id), ());
        track.transfers.keys().for_each(|tid| self.transfers.put(*tid, id));
        match packed {
            Some(bytes) => self.tracks.insert_closed(id, bytes),
            None => self.tracks.insert(id, track),
        }
        self.tracks.settle();
    }

    /// What the command with this key did.
    pub fn command(&self, key: &str) -> Option<CommandDone> {
        let &Kept { digest, index, about } = self.commands.get(key)?;
        let (track, sid) = match about {
            About::Alone(sid) => (Digest::ZERO, sid),
            About::Track(track) => {
                let entry = self.track(&track).and_then(|t| t.entries.iter().find(|e| e.index == index));
                (track, entry.map_or(Digest::ZERO, |e| e.sid))
            }
        };
        Some(CommandDone { digest, track, sid, index })
    }

    /// A track by id.
    pub fn track(&self, id: &TrackId) -> Option<&Track> {
        self.tracks.get(id)
    }

    /// Tracks with this dossier code: one taken in here comes alone, others as they are.
    pub fn by_code(&self, code: &str) -> Vec<TrackId> {
        let first = (hash(code), Digest::ZERO);
        let rows = self.codes.range(Bound::Included(&first)).take_while(|((of, _), ())| *of == first.0);
        let of_code = |id: &TrackId| self.track(id).is_some_and(|t| &*t.code == code);
        let all: Vec<TrackId> = rows.map(|((_, id), ())| *id).filter(of_code).collect();
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

/// Of a code; two codes with one hash are told apart by their tracks. FNV-1a.
pub(crate) fn hash(code: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    code.bytes().fold(0xcbf2_9ce4_8422_2325, step)
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
