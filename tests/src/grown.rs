//! A ledger as after years, in minutes: two agencies hand dossiers over through the real core, codec, keys and store, with
//! signed records and real commits, but without gRPC, NATS and verification.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use lienthong_core::custody::arrival::Arrival;
use lienthong_core::custody::command::{Act, Command, OfferTo, Submit};
use lienthong_core::delivery::courier::Timing;
use lienthong_core::ids::{AgencyId, Instant, LedgerIndex, TrackId, WallMs};
use lienthong_core::node::{Answer, Dispatch, Input, Node, Now};
use lienthong_core::record::{CommandRef, Origin, Record, StatementRecord};
use lienthong_core::statement::{Channel, HandOffKind, Officer, Resolution};
use lienthong_store::anchor::{self, Anchored};
use lienthong_store::{Config, Ledger, NewRecord, ScanFrom};
use lienthong_wire::keys::{self, Signer};
use lienthong_wire::record::encode_record;
use lienthong_wire::statement::WireCodec;
use lienthong_wire::{chain, content};

use crate::province::Province;

/// How many dossiers of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mix {
    /// Taken in, and still with the giver.
    pub held: u64,
    /// Handed over and received, not decided.
    pub offered: u64,
    /// Accepted, completed and returned.
    pub closed: u64,
}

/// Dossiers under way together: a few commits, each well below what a segment takes.
const TOGETHER: u64 = 256;
/// Codes of one day have four digits or five; more dossiers come on the next day.
const A_DAY: u64 = 4_096;
/// 2024-01-01, so that a million dossiers lie in the past.
const FIRST_DAY: i64 = 1_704_067_200_000;
/// Content of each dossier, in bytes: a form.
const CONTENT: usize = 200;

/// Fills the data folders of the nodes of two agencies, which must not run and must be empty.
pub fn grow(province: &mut Province, giver: &str, receiver: &str, mix: Mix) {
    let (a, b) = (Side::of(province, giver), Side::of(province, receiver));
    let mut pair = Pair { sides: [a, b], number: 0 };
    pair.settle();
    for (kind, mut left) in [(Kind::Held, mix.held), (Kind::Offered, mix.offered), (Kind::Closed, mix.closed)]
    {
        while left > 0 {
            let some = left.min(TOGETHER);
            left -= some;
            pair.some(kind, some);
        }
    }
    pair.sides.iter().for_each(Side::anchor);
}

/// How far a dossier comes.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Held,
    Offered,
    Closed,
}

struct Pair {
    sides: [Side; 2],
    number: u64,
}

impl Pair {
    fn some(&mut self, kind: Kind, count: u64) {
        let tracks: Vec<TrackId> = (0..count).map(|_| self.submit()).collect();
        if kind != Kind::Held {
            let tids: Vec<_> = tracks.iter().map(|track| self.offer(*track)).collect();
            self.settle();
            if kind == Kind::Closed {
                for (track, tid) in tracks.into_iter().zip(tids) {
                    self.close(track, tid);
                }
            }
        }
        self.settle();
        self.sides.iter_mut().for_each(|side| side.statements.clear());
    }

    fn submit(&mut self) -> TrackId {
        self.number += 1;
        let salt = chain::payload_hash(&self.number.to_be_bytes()).0;
        let data = vec![self.number as u8; CONTENT];
        let committed = content::commit("text/plain", &data, &salt);
        let submit = Submit {
            code: None,
            procedure: format!("1.{:06}", self.number % 300),
            procedure_version: 1,
            channel: Channel::Online,
            content: Some(committed.expect("a small content")),
            due_at: Some(WallMs(self.wall().0 + 864_000_000)),
            papers: Vec::new(),
        };
        self.ask(0, Act::Submit(submit)).0
    }

    fn offer(&mut self, track: TrackId) -> TrackId {
        let offer = OfferTo {
            track,
            to: self.sides[1].id.clone(),
            kind: HandOffKind::Forward,
            step: "tham-dinh".to_owned(),
            due_at: None,
            papers: Vec::new(),
            note: String::new(),
        };
        self.ask(0, Act::Offer(offer)).1
    }

    fn close(&mut self, track: TrackId, tid: TrackId) {
        self.ask(1, Act::Accept { tid, note: String::new() });
        self.ask(1, Act::Complete { track, resolution: Resolution::Resolved, note: String::new() });
        self.ask(1, Act::Return { track, channel: Channel::Online, note: String::new() });
    }

    /// A command with a key as clients make them: 36 characters.
    fn ask(&mut self, side: usize, act: Act) -> (TrackId, TrackId) {
        let now = self.now();
        let side = &mut self.sides[side];
        side.calls += 1;
        let digest = chain::payload_hash(format!("{}-{}", side.id, side.calls).as_bytes());
        let key = format!("{digest}")[..36].into();
        let officer = Officer { id: "cb01".to_owned(), name: "Nguyễn Văn Thử".to_owned() };
        let command = Command { call: CommandRef { key, digest }, officer, trace: None, act };
        match side.node.step(now, Input::Command(command)) {
            Ok(Answer::Done { track, sid, .. }) => (track, sid),
            other => panic!("{} answered {other:?}", side.id),
        }
    }

    /// Until nobody has anything to say.
    fn settle(&mut self) {
        let now = self.now();
        loop {
            let mut moved = false;
            for from in 0..2 {
                let said = self.sides[from].persist(now);
                moved |= !said.is_empty();
                for dispatch in said {
                    let arrival = self.sides[from].arrival(&dispatch);
                    let peer = &mut self.sides[1 - from];
                    let taken = peer.node.step(now, Input::Arrival(arrival));
                    assert!(taken.is_ok(), "{} refuses: {taken:?}", peer.id);
                }
            }
            if !moved {
                return;
            }
        }
    }

    fn wall(&self) -> WallMs {
        WallMs(FIRST_DAY + (self.number / A_DAY) as i64 * 86_400_000 + (self.number % A_DAY) as i64 * 1_000)
    }

    /// The monotonic clock stands still: nothing is ever sent twice.
    fn now(&self) -> Now {
        Now { mono: Instant(0), wall: self.wall() }
    }
}

struct Side {
    id: AgencyId,
    node: Node<WireCodec>,
    ledger: Ledger,
    data: PathBuf,
    signer: Signer,
    statements: BTreeMap<u64, StatementRecord>,
    calls: u64,
}

impl Side {
    fn of(province: &mut Province, id: &str) -> Self {
        let directory = Arc::new(province.directory().to_core());
        let data = province.node(id).data.clone();
        let folder = data.parent().expect("the node's folder").to_owned();
        let key = keys::load(&folder.join(format!("{id}.key"))).expect("the key");
        let id = AgencyId::parse(id).expect("an agency id");
        let mut config = Config::new(&data);
        config.segment_bytes = 16 << 20;
        let opened = Ledger::open(&config, ScanFrom::Start, |_| Ok::<_, std::convert::Infallible>(()));
        let ledger = opened.expect("an empty ledger").0;
        let timing = Timing { resend_first_ms: 1_000, resend_max_ms: 300_000, window: 1 << 20 };
        let now = Now { mono: Instant(0), wall: WallMs(FIRST_DAY) };
        let node = Node::open(id.clone(), WireCodec, directory, timing, now);
        let statements = BTreeMap::new();
        Self { id, node, ledger, data, signer: Signer::new(key), statements, calls: 0 }
    }

    /// One commit, and what may be said after it.
    fn persist(&mut self, now: Now) -> VecDeque<Dispatch> {
        let Some(batch) = self.node.batch(now) else { return VecDeque::new() };
        let mut new = Vec::new();
        for (index, mut record) in (batch.first.0..).zip(batch.records) {
            self.sign(&mut record);
            let encoded = encode_record(&record);
            new.push(NewRecord {
                agency: self.id.clone(),
                index: LedgerIndex(index),
                payload: encoded.payload.into(),
                proof: encoded.proof.to_vec().into(),
                body: encoded.body.map(|body| body.to_vec().into()),
            });
            if let Record::Statement(record) = record {
                self.statements.insert(index, record);
            }
        }
        let appended = self.ledger.append(new).expect("room on the disk");
        self.node.advance(now, &appended.durable).into()
    }

    /// What a node that ran would have left outside its data folder; without it both would take themselves for old copies.
    fn anchor(&self) {
        let anchored = Anchored {
            store: self.ledger.store_id(),
            head: self.ledger.head(&self.id),
            incarnation: self.node.state().incarnation,
        };
        let mut name = self.data.file_name().expect("the data folder's name").to_owned();
        name.push(".anchor");
        let entry = (self.id.clone(), anchored);
        anchor::write(&self.data.with_file_name(name), &[entry].into()).expect("the anchor");
    }

    fn sign(&self, record: &mut Record) {
        if let Record::Statement(record) = record
            && record.origin == Origin::Made
        {
            let statement = Arc::make_mut(&mut record.statement);
            statement.sealed = self.signer.sign_sealed(statement.body.kind(), &statement.sealed);
        }
    }

    fn arrival(&self, dispatch: &Dispatch) -> Arrival {
        let kept = |index: &LedgerIndex| &self.statements[&index.0];
        Arrival {
            from: self.id.clone(),
            statement: kept(&dispatch.statement).statement.clone(),
            certificate: dispatch.certificate.iter().map(|i| kept(i).statement.clone()).collect(),
            content: dispatch.content.as_ref().and_then(|i| kept(i).content.clone()),
            trace: None,
        }
    }
}
