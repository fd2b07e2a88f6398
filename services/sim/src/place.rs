//! One agency: its node, its disk, its clock, and the glue between them, as the real node's loop has it.
//!
//! One commit is on its way at a time; what comes meanwhile waits for the next. Only what is durable is spoken.

use crate::cast::Cast;
use crate::clock::Clock;
use crate::disk::{Commit, Damage, Disk, Fate, Kept};
use crate::violation::{Sound, holds};
use bytes::Bytes;
use lienthong_core::custody::command::Command;
use lienthong_core::custody::state::State;
use lienthong_core::custody::tracks;
use lienthong_core::delivery::courier::Timing;
use lienthong_core::delivery::outbox::{Row, RowKey};
use lienthong_core::directory::Directory;
use lienthong_core::ids::{AgencyId, Head, Instant, LedgerIndex, Sid, TrackId};
use lienthong_core::node::{Answer, Dispatch, Input, Node, Now};
use lienthong_core::reason::Reason;
use lienthong_core::record::{Record, StatementRecord};
use lienthong_core::recovery::Nonce;
use lienthong_core::statement::Statement;
use lienthong_wire::chain::payload_hash;
use lienthong_wire::envelope::{Enclosed, Letter, PackBuilder, encode_envelope};
use lienthong_wire::keys::Signer;
use lienthong_wire::snapshot::{self, Snapshot};
use lienthong_wire::statement::WireCodec;
use lienthong_wire::verify::Verifier;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Resends begin early and the window is small, so that both are met often.
pub const TIMING: Timing = Timing { resend_first_ms: 2_000, resend_max_ms: 300_000, window: 6 };

/// An agency and its machine.
#[derive(Debug)]
pub struct Place {
    /// The agency.
    pub id: AgencyId,
    /// Its number.
    pub number: usize,
    /// The node, while it runs.
    pub node: Option<Node<WireCodec>>,
    /// What its disk says, while it does not run.
    pub asleep: State,
    /// The directory it loaded.
    pub directory: Arc<Directory>,
    /// Signs what it makes.
    pub signer: Signer,
    /// Verifies what others made.
    pub verifier: Verifier,
    /// The ledger's bytes.
    pub disk: Disk,
    /// The ledger as it was read or written since the node started.
    pub ledger: Vec<Kept>,
    /// The last snapshot, in bytes.
    pub snapshot: Option<Vec<u8>>,
    /// The commit on its way to the disk.
    pub committing: Option<Committing>,
    /// What waits for the next commit.
    pub group: Group,
    /// Counts starts and crashes, so that what belongs to an earlier life is recognised.
    pub life: u64,
    /// When its timer fires.
    pub timer: Option<u64>,
    /// It does nothing until then.
    pub paused_until: u64,
    /// Its wall clock.
    pub clock: Clock,
    /// What was checked last.
    pub seen: Seen,
    /// A copy of its disk.
    pub copy: Option<Disk>,
    /// Its disk is an old copy, and its fence is not yet on it.
    pub restored: bool,
    /// It never starts again.
    pub gone: bool,
}

/// A commit on its way to the disk.
#[derive(Debug)]
pub struct Committing {
    /// None when it holds no records, only answers to repeat.
    pub commit: Option<Commit>,
    /// What becomes of it.
    pub fate: Fate,
    /// What may be answered when it is durable.
    pub group: Group,
}

/// What may be said when a commit is durable.
#[derive(Debug, Default)]
pub struct Group {
    /// Messages to acknowledge to the courier.
    pub acks: Vec<Ack>,
    /// Answers to commands.
    pub answers: Vec<(usize, Command, Result<Answer, Reason>)>,
}

/// A message that the courier may forget.
#[derive(Clone, Debug)]
pub struct Ack {
    /// The message.
    pub id: u64,
    /// What it said.
    pub statements: Vec<Arc<Statement>>,
}

/// A node's state when it was last checked.
#[derive(Debug, Default)]
pub struct Seen {
    /// Its tracks.
    pub tracks: BTreeMap<TrackId, tracks::Kept>,
    /// Its outbox.
    pub rows: BTreeMap<RowKey, Row>,
}

impl Place {
    /// An agency whose node was never started.
    pub fn new(number: usize, cast: &Cast, clock: Clock) -> Self {
        let id = cast.ids[number].clone();
        Self {
            asleep: State::new(id.clone()),
            id,
            number,
            node: None,
            directory: cast.epochs[0].clone(),
            signer: cast.signers[number].clone(),
            verifier: Verifier::new(cast.keys.clone()),
            disk: Disk::default(),
            ledger: Vec::new(),
            snapshot: None,
            committing: None,
            group: Group::default(),
            life: 0,
            timer: None,
            paused_until: 0,
            clock,
            seen: Seen::default(),
            copy: None,
            restored: false,
            gone: false,
        }
    }

    /// Both clocks.
    pub fn now(&self, now: u64) -> Now {
        Now { mono: Instant(now), wall: self.clock.wall(now) }
    }

    /// Its state: live, or as the disk says.
    pub fn state(&self) -> &State {
        self.node.as_ref().map_or(&self.asleep, Node::state)
    }

    /// Whether it recovers, or will as soon as it starts, or is gone: it has no say in anything.
    pub fn recovering(&self) -> bool {
        self.gone || self.restored || self.state().recovering()
    }

    /// The durable head.
    pub fn head(&self) -> Head {
        let hash = self.ledger.last().map_or(Head::EMPTY.hash, |kept| kept.hash);
        Head { size: self.ledger.len() as u64, hash }
    }

    /// Starts the node from the bytes on its disk.
    ///
    /// # Errors
    /// When the disk is damaged: it refuses.
    pub fn start(&mut self, now: u64, cast: &Cast, nonce: Nonce) -> Result<(), Damage> {
        self.ledger = self.disk.open(&self.id)?;
        self.verifier = Verifier::new(cast.keys.clone());
        let now = self.now(now);
        let seat = (WireCodec, self.directory.clone(), TIMING);
        let empty = State::new(self.id.clone());
        let records = self.ledger.iter().map(|kept| kept.record.clone());
        let node = if self.ledger.is_empty() {
            Node::open(self.id.clone(), seat.0, seat.1, seat.2, now)
        } else {
            Node::recover(empty, records, self.head(), seat, now)
        };
        self.node = Some(node.with_nonce(nonce));
        Ok(())
    }

    /// The node is gone; what the disk says is read back.
    ///
    /// # Errors
    /// When the disk is damaged.
    pub fn stop(&mut self) -> Result<(), Damage> {
        self.node = None;
        self.group = Group::default();
        self.committing = None;
        self.timer = None;
        self.paused_until = 0;
        self.life += 1;
        self.ledger = self.disk.open(&self.id)?;
        let mut state = State::new(self.id.clone());
        self.ledger.iter().for_each(|kept| state.apply(&kept.record));
        state.durable = self.head();
        self.asleep = state;
        Ok(())
    }

    /// Writes a snapshot, when all that is decided is durable.
    pub fn freeze(&mut self, now: u64) -> Option<LedgerIndex> {
        let (head, now) = (self.head(), self.now(now));
        let node = self.node.as_mut()?;
        let state = node.state();
        if state.next.0 != head.size || state.durable != head {
            return None;
        }
        let (position, states) = (Vec::new(), vec![state.clone()]);
        let bytes = snapshot::encode(&Snapshot { position, physical_head: head.hash, states });
        let noted = node.step(now, Input::Snapshot(payload_hash(&bytes)));
        self.snapshot = Some(bytes);
        match noted {
            Ok(Answer::Noted(index)) => Some(index),
            _ => None,
        }
    }

    /// The state that the snapshot and the records after it give; none without a snapshot.
    ///
    /// # Errors
    /// When the snapshot cannot be read.
    pub fn thaw(&self) -> Result<Option<State>, snapshot::Unusable> {
        let Some(bytes) = &self.snapshot else { return Ok(None) };
        let mut states = snapshot::decode(bytes)?.states;
        let mut state = states.pop().ok_or(snapshot::Unusable("states"))?;
        self.ledger.iter().skip(state.next.0 as usize).for_each(|kept| state.apply(&kept.record));
        state.durable = self.head();
        Ok(Some(state))
    }

    /// Takes what was decided and signs it: the next commit, if there is something to say.
    pub fn batch(&mut self, now: u64) -> Sound<Option<Option<Commit>>> {
        let now = self.now(now);
        let Some(batch) = self.node.as_mut().and_then(|node| node.batch(now)) else { return Ok(None) };
        let mut records = batch.records;
        if records.is_empty() {
            return Ok(Some(None));
        }
        let follows = batch.first.0 == self.ledger.len() as u64;
        holds(follows, "I11", || format!("{}: a batch does not follow the one before", self.id))?;
        self.signer.sign_records(&mut records);
        Ok(Some(Some(Commit::of(&self.id, self.head(), records))))
    }

    /// A record that is durable, or about to be.
    fn statement(&self, index: LedgerIndex) -> Option<&StatementRecord> {
        let at = index.0 as usize;
        let writing = self.committing.iter().filter_map(|c| c.commit.as_ref()).flat_map(|c| &c.records);
        match &self.ledger.iter().chain(writing).nth(at)?.record {
            Record::Statement(record) => Some(record),
            _ => None,
        }
    }

    /// I6: whether all that a dispatch says is on the disk.
    pub fn is_durable(&self, dispatch: &Dispatch) -> bool {
        let said = dispatch.certificate.iter().chain(&dispatch.content).chain([&dispatch.statement]);
        said.into_iter().all(|index| index.0 < self.ledger.len() as u64)
    }

    /// The envelope of a dispatch, out of the ledger's bytes.
    pub fn envelope(&self, dispatch: &Dispatch) -> Option<Vec<u8>> {
        let record = self.statement(dispatch.statement)?;
        let certificate: Option<Vec<Enclosed<'_>>> =
            dispatch.certificate.iter().map(|i| self.statement(*i).map(|r| (&*r.statement).into())).collect();
        let content = match dispatch.content {
            Some(index) => Some(self.statement(index)?.content.as_deref()?),
            None => None,
        };
        let (certificate, trace) = (certificate?, record.trace.as_deref());
        let letter =
            Letter { statement: (&*record.statement).into(), certificate: &certificate, content, trace };
        Some(encode_envelope(&letter))
    }

    /// The statement a dispatch is about.
    pub fn sid(&self, dispatch: &Dispatch) -> Option<Sid> {
        self.statement(dispatch.statement).map(|r| r.statement.sid())
    }
}

/// Packs envelopes until they are full.
pub fn pack(envelopes: &[Vec<u8>]) -> Vec<Bytes> {
    let (mut packs, mut open) = (Vec::new(), PackBuilder::new());
    for envelope in envelopes {
        if !open.push(envelope) {
            packs.push(std::mem::take(&mut open).finish());
            let fits = open.push(envelope);
            debug_assert!(fits, "an envelope fits an empty pack");
        }
    }
    if !open.is_empty() {
        packs.push(open.finish());
    }
    packs
}
