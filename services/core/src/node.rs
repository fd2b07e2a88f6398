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

mod acts;
mod estate;
mod input;
mod output;
mod quarantine;
mod recovering;
mod written;

pub use input::{Answer, Input, Now};
pub use output::{Batch, Dispatch, Lane};
pub use recovering::Recovered;

use crate::authority::collecting::Collecting;
use crate::authority::reclaim::Seeking;
use crate::authority::telling::Telling;
use crate::codec::Codec;
use crate::custody::arrival::{self, Arrival, Reply};
use crate::custody::check::Violation;
use crate::custody::command::{self, Command};
use crate::custody::commands::short;
use crate::custody::state::State;
use crate::custody::{Draft, Make};
use crate::delivery::courier::{Courier, Timing};
use crate::delivery::outbox::RowKey;
use crate::directory::Directory;
use crate::durable::Durable;
use crate::ids::{AgencyId, Digest, Incarnation, Instant, LedgerIndex, Sid, TrackId};
use crate::limits;
use crate::reason::{Reason, Rejection};
use crate::record::{Origin, Quarantined, Record, StatementRecord};
use crate::recovery::asking::Asking;
use crate::recovery::giving::{Gathering, Gift};
use crate::recovery::{Nonce, Word};
use crate::statement::{AckItem, Body, Claim, Kind, ReceivedItem, Statement};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use written::{rows_answered, rows_of, stored_bytes};

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
    nonce: Nonce,
    round: u32,
    asking: Option<Asking>,
    recovered: Option<Recovered>,
    resumed_at: Option<LedgerIndex>,
    gathering: BTreeMap<AgencyId, Gathering>,
    gifts: VecDeque<(AgencyId, Gift)>,
    telling: Telling,
    seeking: Seeking,
    collecting: Collecting,
    told: BTreeMap<AgencyId, estate::Told>,
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
    spoken: Vec<Dispatch>,
}

/// Handed over and not yet durable.
#[derive(Debug)]
struct InFlight {
    size: Option<u64>,
    rows: BTreeSet<RowKey>,
    answers: Vec<Dispatch>,
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
        node.ask_anew(now);
        node.acts_changed(now);
        node
    }

    fn with_state(state: State, codec: C, directory: Arc<Directory>, timing: Timing) -> Self {
        let (courier, pending) = (Courier::new(timing), Pending::default());
        let (flights, quarantined_per_peer) = (VecDeque::new(), limits::QUARANTINED_PER_PEER);
        Self {
            state,
            codec,
            directory,
            courier,
            pending,
            flights,
            quarantined_per_peer,
            nonce: [0; 16],
            round: 0,
            asking: None,
            recovered: None,
            resumed_at: None,
            gathering: BTreeMap::new(),
            gifts: VecDeque::new(),
            telling: Telling::default(),
            seeking: Seeking::default(),
            collecting: Collecting::default(),
            told: BTreeMap::new(),
        }
    }

    /// Bounds what is kept in quarantine for each peer; [`limits::QUARANTINED_PER_PEER`] unless told.
    #[must_use]
    pub fn with_quarantine_of(mut self, per_peer: usize) -> Self {
        self.quarantined_per_peer = per_peer;
        self
    }

    /// Sets what makes the fences of this start differ from those of any other: drawn at random by the caller.
    #[must_use]
    pub fn with_nonce(mut self, nonce: Nonce) -> Self {
        self.nonce = nonce;
        if let Some(asking) = self.asking.as_mut() {
            asking.renew(nonce); // it was begun before the caller could say
        }
        self
    }

    /// What the agency knows, with what is decided and not yet durable.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Forgets what was unpacked for those who looked at the state. The next input does so too; between inputs many may look.
    pub fn forget_looks(&mut self) {
        self.state.tracks.settle();
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
            Input::Quarantine(kept) => self.quarantine(kept),
            Input::Settle(settled) => self.settle(now, settled),
            Input::Read { track, officer, purpose } => {
                self.state.track(&track).ok_or(Reason::DossierNotFound)?;
                let read = Record::ContentRead { track, officer, purpose, at: now.wall };
                Ok(Answer::Noted(self.write(read)))
            }
            Input::Snapshot(sha256) => {
                Ok(Answer::Noted(self.write(Record::SnapshotTaken { sha256, at: now.wall })))
            }
            Input::Recover => Ok(Answer::Noted(self.fence_myself(now))),
            Input::Greet => Ok(self.greet(now)),
            Input::Act(act) => self.take_act(now, &act),
            Input::Trouble(peer, trouble) => {
                self.courier.troubled(now.wall, &peer, trouble);
                Ok(Answer::Nothing)
            }
        }
    }

    fn quarantine(&mut self, kept: Quarantined) -> Result<Answer, Rejection> {
        let of_peer = self.state.quarantined.get(&kept.from);
        if let Some(index) = of_peer.and_then(|kept_before| kept_before.get(&kept.sha256)) {
            return Ok(Answer::Noted(*index));
        }
        // Whoever is not in the directory can be anybody under any number of names: they share one allowance.
        let kept_before = if self.directory.knows(&kept.from) {
            of_peer.map_or(0, BTreeMap::len)
        } else {
            let strangers = self.state.quarantined.iter().filter(|(peer, _)| !self.directory.knows(peer));
            strangers.map(|(_, kept)| kept.len()).sum()
        };
        if kept_before >= self.quarantined_per_peer {
            return Err(Reason::Overloaded);
        }
        Ok(Answer::Noted(self.write(Record::Quarantined(kept))))
    }

    fn command(&mut self, now: Now, command: Command) -> Result<Answer, Rejection> {
        if let Some(done) = self.state.command(&command.call.key) {
            if done.digest != short(&command.call.digest) {
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
        if let Body::Recovery(word) = &arrival.statement.body {
            return self.hear(now, &arrival, word);
        }
        self.telling.met(now.mono, &arrival.from);
        if self.state.recovering() || self.state.retired() {
            return Ok(Answer::Nothing); // R1; whatever needs an answer is sent again
        }
        let consequence = match arrival::decide(&self.state, &self.directory, &arrival) {
            Err(Reason::OwnStatementUnknown) if self.is_old_copy(&arrival) => {
                return Ok(Answer::Noted(self.fence_myself(now)));
            }
            other => other?,
        };
        self.courier.heard(now.mono, &arrival.from);
        let acts = self.state.memory.acts.0.len();
        for draft in consequence.drafts {
            self.draft(now, draft);
        }
        if self.state.memory.acts.0.len() > acts {
            self.acts_changed(now);
        }
        match consequence.reply {
            Reply::Nothing => {}
            Reply::Receipt(item) => {
                let receipts = self.pending.receipts.entry(arrival.from).or_default();
                if !receipts.contains(&item) {
                    receipts.push(item);
                }
            }
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
            incarnation: match &make.body {
                Body::Recovery(Word::Fence { incarnation, .. }) => *incarnation,
                _ => self.state.incarnation,
            },
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
        let answered = rows_answered(&self.state, &record);
        self.state.apply(&record);
        if let Record::Statement(record) = &record {
            match &record.statement.body {
                Body::Received(items) => {
                    let tracks = items.iter().filter_map(|i| self.state.transfers.get(&i.tid));
                    self.pending.touched.extend(tracks);
                }
                Body::Ack(items) => self.pending.touched.extend(items.iter().map(|i| i.track)),
                // It makes receipts void.
                Body::Recovery(Word::Fence { .. }) => {
                    let rows = answered.iter().filter_map(|key| self.state.outbox.row(key));
                    self.pending.touched.extend(rows.map(|row| row.track));
                }
                _ => self.pending.touched.extend(record.statement.track()),
            }
        }
        self.pending.rows.extend(answered.into_iter().chain(rows_of(&self.state, index)));
        self.pending.bytes += stored_bytes(&record);
        self.pending.records.push(record);
        index
    }

    /// Bytes that the next batch's records will take on disk, at the most: so that the caller can hand it over before it
    /// outgrows a commit.
    pub fn pending_bytes(&self) -> usize {
        self.pending.bytes
    }

    /// What is decided since the last call, with one RECEIVED and one ACK for each peer; `None` when there is nothing.
    pub fn batch(&mut self, now: Now) -> Option<Batch> {
        let again = core::mem::take(&mut self.pending.again).into_iter();
        let mut answers: Vec<Dispatch> = again.map(|(to, index)| self.answer(to, index)).collect();
        answers.append(&mut self.pending.spoken);
        for (peer, items) in core::mem::take(&mut self.pending.receipts) {
            for some in items.chunks(limits::BATCHED_ANSWERS) {
                let said = self.speak(now, Body::Received(some.to_vec()));
                answers.push(self.answer(peer.clone(), said));
            }
        }
        for (peer, items) in core::mem::take(&mut self.pending.acks) {
            for some in items.chunks(limits::BATCHED_ANSWERS) {
                let said = self.speak(now, Body::Ack(some.to_vec()));
                answers.push(self.answer(peer.clone(), said));
            }
        }
        let pending = core::mem::take(&mut self.pending);
        if pending.records.is_empty() && answers.is_empty() {
            return None;
        }
        let first = LedgerIndex(self.state.next.0 - pending.records.len() as u64);
        let size = (!pending.records.is_empty()).then_some(self.state.next.0);
        self.flights.push_back(InFlight { size, rows: pending.rows, answers });
        Some(Batch { first, records: pending.records, touched: pending.touched })
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
        let mut out = flight.answers;
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
        self.drive(now);
        if self.is_silent() {
            return Vec::new(); // R1
        }
        let due = self.courier.take_due(now.mono, &self.state.outbox);
        let acts = &self.state.memory.acts;
        let heard = due.into_iter().filter(|(key, _)| !acts.retires(&key.1));
        let rows: Vec<Dispatch> = heard.filter_map(|(key, attempts)| self.row(key, attempts)).collect();
        self.with_vouching(rows)
    }

    /// The courier takes for this peer again what it refused: the rest need not sit out a long pause.
    pub fn gets_through(&mut self, now: Now, peer: &AgencyId) {
        self.courier.heard(now.mono, peer);
    }

    /// The courier could not be reached and can be again: what waits for that need not sit out a long pause.
    pub fn reconnected(&mut self, now: Now) {
        self.courier.reconnected(now.mono);
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let row = self.courier.next().filter(|_| !self.is_silent());
        self.next_word().into_iter().chain(row).min()
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
        let certificate = match (before, row.kind) {
            (Some(sid), _) => self.state.certificate_to(track, &sid)?,
            (None, Kind::Reclaim) => self.state.acts_of(track),
            (None, Kind::Succeed) => self.state.certificate_to(track, &entry.prev?)?,
            (None, _) => Vec::new(),
        };
        let content = track.content.filter(|_| is_offer_to_receiver);
        if is_offer_to_receiver && track.commitment.is_some() && content.is_none() {
            return None; // lost with an old copy: it can only be recalled
        }
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
