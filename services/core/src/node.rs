//! One agency's node, sans-IO: inputs in, records and dispatches out, and nothing is spoken before it is durable.
//!
//! | call | contract |
//! |---|---|
//! | [`Node::step`] | a command, an arrival or a courier's word; on rejection nothing changes |
//! | [`Node::batch`] | records to persist; what they let out leaves only in [`Node::advance`] |
//! | [`Node::advance`] | the oldest batch is durable: its dispatches |
//! | [`Node::handle_timeout`], [`Node::poll_timeout`] | resends; harmless early or twice |
//! | [`Node::recover`] | the same state from a snapshot and records |
//! | [`Node::check`] | every invariant one agency can check on itself |

use crate::codec::Codec;
use crate::custody::arrival::{self, Arrival, Reply};
use crate::custody::check::Violation;
use crate::custody::command::{self, Command};
use crate::custody::state::State;
use crate::custody::{Draft, Make};
use crate::delivery::courier::{Courier, Timing, Trouble};
use crate::delivery::outbox::RowKey;
use crate::directory::Directory;
use crate::durable::Durable;
use crate::ids::{AgencyId, Digest, Incarnation, Instant, LedgerIndex, Sid, TrackId, WallMs};
use crate::limits;
use crate::reason::{Reason, Rejection};
use crate::record::{Origin, Quarantined, Record, StatementRecord};
use crate::statement::{AckItem, Body, Claim, Kind, Officer, ReceivedItem, Statement};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Both clocks. Wall time becomes a claim; monotonic time only triggers attempts.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic.
    pub mono: Instant,
    /// Wall.
    pub wall: WallMs,
}

/// What can happen to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// An officer asks.
    Command(Command),
    /// A peer's envelope came.
    Arrival(Arrival),
    /// An envelope could not be opened or was refused: keep it.
    Quarantine(Quarantined),
    /// A content is about to be read.
    Read {
        /// Of this track.
        track: TrackId,
        /// By.
        officer: Officer,
        /// Why.
        purpose: String,
    },
    /// A snapshot up to now is durable.
    Snapshot(Digest),
    /// The courier could not take an envelope for a peer.
    Trouble(AgencyId, Trouble),
}

/// What an input came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The statement a command made, now or under the same key earlier.
    Done {
        /// What it was about.
        track: TrackId,
        /// The statement.
        sid: Sid,
        /// Its place, the effect id.
        index: LedgerIndex,
        /// Whether an earlier call made it.
        repeated: bool,
    },
    /// A record was written here.
    Noted(LedgerIndex),
    /// Nothing to tell.
    Nothing,
}

/// Records to persist, in order, as one commit.
#[derive(Debug)]
pub struct Batch {
    /// Place of the first.
    pub first: LedgerIndex,
    /// The records; own statements still without proof.
    pub records: Vec<Record>,
    /// Tracks they touch.
    pub touched: BTreeSet<TrackId>,
    /// Outbox rows they added or freed.
    pub rows: BTreeSet<RowKey>,
}

/// How urgent a statement is to its receiver; lanes of the courier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// OFFER.
    Offer,
    /// RECEIVED, ACCEPT, REFUSE, ACK.
    Answer,
    /// CANCEL and copies.
    Ctl,
}

/// A statement that may leave. Made only here, from durable records.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dispatch {
    /// The giver of the envelope.
    pub from: AgencyId,
    /// Its receiver.
    pub to: AgencyId,
    /// Its lane.
    pub lane: Lane,
    /// The statement's place in the ledger.
    pub statement: LedgerIndex,
    /// Places of the certificate's statements.
    pub certificate: Vec<LedgerIndex>,
    /// Place of the record that has the content beside it.
    pub content: Option<LedgerIndex>,
    /// Earlier attempts.
    pub attempts: u32,
}

/// One agency's node.
#[derive(Debug)]
pub struct Node<C> {
    state: State,
    codec: C,
    directory: Arc<Directory>,
    courier: Courier,
    pending: Pending,
    flights: VecDeque<InFlight>,
    quarantined_per_peer: usize,
}

/// Decided and not yet handed over for persisting.
#[derive(Debug, Default)]
struct Pending {
    records: Vec<Record>,
    bytes: usize,
    touched: BTreeSet<TrackId>,
    rows: BTreeSet<RowKey>,
    receipts: BTreeMap<AgencyId, Vec<ReceivedItem>>,
    acks: BTreeMap<AgencyId, Vec<AckItem>>,
    again: BTreeSet<(AgencyId, LedgerIndex)>,
}

/// Handed over and not yet durable.
#[derive(Debug)]
struct InFlight {
    size: Option<u64>,
    rows: BTreeSet<RowKey>,
    answers: Vec<(AgencyId, LedgerIndex)>,
}

impl<C: Codec> Node<C> {
    /// A node with an empty ledger: its first batch opens it.
    pub fn open(me: AgencyId, codec: C, directory: Arc<Directory>, timing: Timing, now: Now) -> Self {
        let mut node = Self::with_state(State::new(me.clone()), codec, directory, timing);
        node.write(Record::Opened { agency: me, incarnation: Incarnation(0), at: now.wall });
        node
    }

    /// A node as its durable records left it. `state` is a snapshot, or empty; `records` follow it.
    pub fn recover(
        mut state: State,
        records: impl IntoIterator<Item = Record>,
        durable: crate::ids::Head,
        (codec, directory, timing): (C, Arc<Directory>, Timing),
        now: Now,
    ) -> Self {
        records.into_iter().for_each(|r| state.apply(&r));
        state.durable = durable;
        let mut node = Self::with_state(state, codec, directory, timing);
        let keys: Vec<RowKey> =
            node.state.outbox.rows().filter(|(_, r)| r.awaits.resends()).map(|(k, _)| k.clone()).collect();
        keys.into_iter().for_each(|key| node.courier.add(now.mono, key));
        node
    }

    fn with_state(state: State, codec: C, directory: Arc<Directory>, timing: Timing) -> Self {
        let (courier, pending) = (Courier::new(timing), Pending::default());
        let (flights, quarantined_per_peer) = (VecDeque::new(), limits::QUARANTINED_PER_PEER);
        Self { state, codec, directory, courier, pending, flights, quarantined_per_peer }
    }

    /// Bounds what is kept in quarantine for each peer; [`limits::QUARANTINED_PER_PEER`] unless told.
    #[must_use]
    pub fn with_quarantine_of(mut self, per_peer: usize) -> Self {
        self.quarantined_per_peer = per_peer;
        self
    }

    /// What the agency knows, with what is decided and not yet durable.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Timing of deliveries.
    pub fn courier(&self) -> &Courier {
        &self.courier
    }

    /// Takes one input. After an error nothing has changed.
    pub fn step(&mut self, now: Now, input: Input) -> Result<Answer, Rejection> {
        match input {
            Input::Command(command) => self.command(now, command),
            Input::Arrival(arrival) => self.arrive(now, arrival),
            Input::Quarantine(kept) => {
                let of_peer = self.state.quarantined.get(&kept.from);
                if let Some(index) = of_peer.and_then(|kept_before| kept_before.get(&kept.sha256)) {
                    return Ok(Answer::Noted(*index));
                }
                // Whoever is not in the directory can be anybody under any number of names: they share one allowance.
                let kept_before = if self.directory.knows(&kept.from) {
                    of_peer.map_or(0, BTreeMap::len)
                } else {
                    let strangers =
                        self.state.quarantined.iter().filter(|(peer, _)| !self.directory.knows(peer));
                    strangers.map(|(_, kept)| kept.len()).sum()
                };
                if kept_before >= self.quarantined_per_peer {
                    return Err(Reason::Overloaded);
                }
                Ok(Answer::Noted(self.write(Record::Quarantined(kept))))
            }
            Input::Read { track, officer, purpose } => {
                self.state.track(&track).ok_or(Reason::DossierNotFound)?;
                let read = Record::ContentRead { track, officer, purpose, at: now.wall };
                Ok(Answer::Noted(self.write(read)))
            }
            Input::Snapshot(sha256) => {
                Ok(Answer::Noted(self.write(Record::SnapshotTaken { sha256, at: now.wall })))
            }
            Input::Trouble(peer, trouble) => {
                self.courier.troubled(now.wall, &peer, trouble);
                Ok(Answer::Nothing)
            }
        }
    }

    fn command(&mut self, now: Now, command: Command) -> Result<Answer, Rejection> {
        if let Some(done) = self.state.commands.get(&command.call.key) {
            if done.digest != command.call.digest {
                return Err(Reason::IdempotencyConflict);
            }
            let (track, sid, index) = (done.track, done.sid, done.index);
            return Ok(Answer::Done { track, sid, index, repeated: true });
        }
        let draft = command::decide(&self.state, &self.directory, now.wall, command)?;
        let (sid, index) = self.draft(now, draft);
        let known = self.state.transfers.get(&sid).copied();
        let track = known.or_else(|| self.track_of(index)).unwrap_or(Digest::ZERO);
        Ok(Answer::Done { track, sid, index, repeated: false })
    }

    fn track_of(&self, index: LedgerIndex) -> Option<TrackId> {
        let first = self.state.next.0 - self.pending.records.len() as u64;
        match self.pending.records.get((index.0 - first) as usize) {
            Some(Record::Statement(record)) => record.statement.track(),
            _ => None,
        }
    }

    fn arrive(&mut self, now: Now, arrival: Arrival) -> Result<Answer, Rejection> {
        let consequence = arrival::decide(&self.state, &self.directory, &arrival)?;
        self.courier.heard(now.mono, &arrival.from);
        for draft in consequence.drafts {
            self.draft(now, draft);
        }
        match consequence.reply {
            Reply::Nothing => {}
            Reply::Receipt(item) => self.pending.receipts.entry(arrival.from).or_default().push(item),
            Reply::Ack(item) => {
                let acks = self.pending.acks.entry(arrival.from).or_default();
                if !acks.contains(&item) {
                    acks.push(item);
                }
            }
            Reply::Again(index) => {
                self.pending.again.insert((arrival.from, index));
            }
        }
        Ok(Answer::Nothing)
    }

    fn draft(&mut self, now: Now, draft: Draft) -> (Sid, LedgerIndex) {
        let record = match draft {
            Draft::Keep(record) => record,
            Draft::Make(make) => self.make(now, *make),
        };
        let sid = record.statement.sid();
        (sid, self.write(Record::Statement(record)))
    }

    fn make(&self, now: Now, make: Make) -> StatementRecord {
        let claim = Claim {
            agency: self.state.me.clone(),
            incarnation: self.state.incarnation,
            index: self.state.next,
            head: self.state.durable,
            made_at: now.wall,
            epoch: self.directory.epoch,
            officer: make.officer,
        };
        let sealed = self.codec.seal(&claim, &make.body);
        let statement = Arc::new(Statement { claim, body: make.body, sealed });
        let (command, trace, content) = (make.command, make.trace, make.content);
        StatementRecord { origin: Origin::Made, statement, command, trace, content }
    }

    fn write(&mut self, record: Record) -> LedgerIndex {
        let index = self.state.next;
        let before = self.rows_touched(&record);
        self.state.apply(&record);
        let after = self.rows_touched(&record);
        self.pending.rows.extend(before.into_iter().chain(after));
        if let Record::Statement(record) = &record {
            match &record.statement.body {
                Body::Received(items) => {
                    let tracks = items.iter().filter_map(|i| self.state.transfers.get(&i.tid));
                    self.pending.touched.extend(tracks);
                }
                Body::Ack(items) => self.pending.touched.extend(items.iter().map(|i| i.track)),
                _ => self.pending.touched.extend(record.statement.track()),
            }
        }
        self.pending.bytes += stored_bytes(&record);
        self.pending.records.push(record);
        index
    }

    /// Bytes that the next batch's records will take on disk, at the most: so that the caller can hand it over before it
    /// outgrows a commit.
    pub fn pending_bytes(&self) -> usize {
        self.pending.bytes
    }

    /// Outbox rows a record may add or free: those of its own place and of what it answers.
    fn rows_touched(&self, record: &Record) -> Vec<RowKey> {
        let Record::Statement(record) = record else { return Vec::new() };
        let statement = &*record.statement;
        let outbox = &self.state.outbox;
        let mut indices = Vec::from([LedgerIndex(self.state.next.0.saturating_sub(1))]);
        let mut of_transfer = |tid| {
            let track = self.state.transfers.get(tid).and_then(|id| self.state.track(id));
            let transfer = track.and_then(|t| t.transfers.get(tid));
            indices.extend(transfer.into_iter().flat_map(|t| [Some(t.offer), t.cancel]).flatten());
        };
        match &statement.body {
            Body::Received(items) => items.iter().for_each(|i| of_transfer(&i.tid)),
            Body::Accept(b) => of_transfer(&b.tid),
            Body::Refuse(b) => of_transfer(&b.tid),
            Body::Ack(items) => {
                let from = &statement.claim.agency;
                indices.extend(items.iter().filter_map(|i| outbox.awaiting_ack(&i.sid, from)));
            }
            _ => {}
        }
        indices.into_iter().flat_map(|i| outbox.of(i).map(|(k, _)| k.clone())).collect()
    }

    /// What is decided since the last call, with one RECEIVED and one ACK for each peer; `None` when there is nothing.
    pub fn batch(&mut self, now: Now) -> Option<Batch> {
        let mut answers: Vec<(AgencyId, LedgerIndex)> =
            core::mem::take(&mut self.pending.again).into_iter().collect();
        for (peer, items) in core::mem::take(&mut self.pending.receipts) {
            for some in items.chunks(limits::BATCHED_ANSWERS) {
                answers.push((peer.clone(), self.speak(now, Body::Received(some.to_vec()))));
            }
        }
        for (peer, items) in core::mem::take(&mut self.pending.acks) {
            for some in items.chunks(limits::BATCHED_ANSWERS) {
                answers.push((peer.clone(), self.speak(now, Body::Ack(some.to_vec()))));
            }
        }
        let pending = core::mem::take(&mut self.pending);
        if pending.records.is_empty() && answers.is_empty() {
            return None;
        }
        let first = LedgerIndex(self.state.next.0 - pending.records.len() as u64);
        let size = (!pending.records.is_empty()).then_some(self.state.next.0);
        self.flights.push_back(InFlight { size, rows: pending.rows.clone(), answers });
        Some(Batch { first, records: pending.records, touched: pending.touched, rows: pending.rows })
    }

    fn speak(&mut self, now: Now, body: Body) -> LedgerIndex {
        let make = Make { body, officer: None, command: None, trace: None, content: None };
        self.draft(now, Draft::Make(Box::new(make))).1
    }

    /// The oldest batch is durable: what may now be said.
    ///
    /// # Panics
    /// When there is no such batch or the token is of another commit: the caller is broken and must not go on.
    pub fn advance(&mut self, now: Now, durable: &Durable) -> Vec<Dispatch> {
        let flight = self.flights.pop_front().expect("a durable batch was handed out before");
        if let Some(size) = flight.size {
            let head = durable.head(&self.state.me).expect("the commit holds this agency's records");
            assert!(head.size >= size, "the token is of an earlier commit");
            self.state.durable = head;
        }
        for key in flight.rows {
            match self.state.outbox.row(&key) {
                Some(row) if row.awaits.resends() => self.courier.add(now.mono, key),
                Some(_) | None => self.courier.land(now.mono, &key),
            }
        }
        let answers = flight.answers.into_iter();
        let mut out: Vec<Dispatch> = answers.map(|(to, index)| self.answer(to, index)).collect();
        out.extend(self.handle_timeout(now));
        out
    }

    fn answer(&self, to: AgencyId, statement: LedgerIndex) -> Dispatch {
        let from = self.state.me.clone();
        let (certificate, content) = (Vec::new(), None);
        Dispatch { from, to, lane: Lane::Answer, statement, certificate, content, attempts: 0 }
    }

    /// Rows that are due. Harmless early or twice.
    pub fn handle_timeout(&mut self, now: Now) -> Vec<Dispatch> {
        let due = self.courier.take_due(now.mono, &self.state.outbox);
        due.into_iter().filter_map(|(key, attempts)| self.row(key, attempts)).collect()
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.courier.next()
    }

    fn row(&self, (index, to): RowKey, attempts: u32) -> Option<Dispatch> {
        let row = self.state.outbox.row(&(index, to.clone()))?;
        let track = self.state.track(&row.track)?;
        let entry = track.entry(&row.sid)?;
        let transfer = track.transfers.get(&row.sid);
        let is_offer_to_receiver = row.kind == Kind::Offer && transfer.is_some_and(|t| t.to == to);
        let before = match row.kind {
            Kind::Offer if is_offer_to_receiver => entry.prev,
            Kind::Cancel => {
                track.transfers.iter().find(|(_, t)| t.cancel == Some(index)).map(|(tid, _)| *tid)
            }
            _ => None,
        };
        let certificate = match before {
            Some(sid) => track.spine_to(&sid)?,
            None => Vec::new(),
        };
        let content = track.content.filter(|_| is_offer_to_receiver);
        let lane = match row.kind {
            Kind::Offer if is_offer_to_receiver => Lane::Offer,
            Kind::Accept | Kind::Refuse => Lane::Answer,
            _ => Lane::Ctl,
        };
        let from = self.state.me.clone();
        Some(Dispatch { from, to, lane, statement: index, certificate, content, attempts })
    }

    /// Every invariant one agency can check on itself.
    pub fn check(&self) -> Result<(), Violation> {
        self.state.check()
    }
}

/// Bytes a record takes on disk, at the most: what it carries, and room for its frame, its proof and its fields.
fn stored_bytes(record: &Record) -> usize {
    const ROOM: usize = 600;
    ROOM + match record {
        Record::Statement(record) => {
            let content = record.content.as_ref().map_or(0, |c| c.len());
            let trace = record.trace.as_ref().map_or(0, |t| t.traceparent.len() + t.tracestate.len());
            record.statement.sealed.body.len() + content + trace
        }
        Record::Quarantined(kept) => kept.bytes.as_ref().map_or(0, |b| b.len()),
        Record::ContentRead { purpose, .. } => purpose.len() + 2 * limits::OFFICER_BYTES,
        Record::Opened { .. } | Record::SnapshotTaken { .. } => 0,
    }
}
