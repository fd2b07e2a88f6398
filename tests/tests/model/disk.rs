//! What one node has durably: its ledger, and what follows from it.

use super::rules::{Rule, Rules};
use super::words::{Certificate, Id, Kind, Letter, Message, Place, Statement, Tid};

/// Where the track stands for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No part in it yet.
    None,
    /// Custodian.
    Held,
    /// Custodian, locked.
    Offered(Tid),
    /// Offered to this node.
    Inbox(Tid),
    /// Handed over.
    Gone,
    /// Refused.
    Out,
}

/// A record: the statement, and whether it came as an OFFER to this node rather than inside a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Record {
    /// The statement.
    pub(crate) statement: Statement,
    /// Came by itself, with its content.
    pub(crate) taken: bool,
}

/// A node's disk. Everything it decides by is here; a restore puts back an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Disk {
    /// Whose.
    pub(crate) me: Id,
    /// Incarnation.
    pub(crate) inc: u8,
    /// Lowest incarnation of each peer that is listened to.
    pub(crate) fences: [u8; 3],
    /// Highest index seen of each peer; kept only where duplicates are told by it.
    pub(crate) marks: [u8; 3],
    /// The ledger, in order.
    pub(crate) log: Vec<Record>,
    /// Own undecided offers that were receipted.
    pub(crate) receipts: Vec<Tid>,
    /// Own decisions that were acknowledged.
    pub(crate) acks: Vec<Tid>,
}

impl Disk {
    /// A node that has seen nothing; node 0 has taken the dossier in.
    pub(crate) fn new(me: Id) -> Self {
        Self { me, inc: 0, fences: [0; 3], marks: [0; 3], log: vec![], receipts: vec![], acks: vec![] }
    }

    /// The phase: the ledger replayed. Live running and recovery are this same function.
    pub(crate) fn phase(&self, rules: &Rules) -> Phase {
        let start = if self.me == 0 { Phase::Held } else { Phase::None };
        let mut decided: Vec<Tid> = Vec::with_capacity(8);
        self.log.iter().fold(start, |phase, record| {
            let s = record.statement;
            if decided.contains(&s.tid) {
                return phase; // the first decision is the decision
            }
            if s.decides() {
                decided.push(s.tid);
            }
            self.moved(phase, record, rules)
        })
    }

    fn moved(&self, phase: Phase, record: &Record, rules: &Rules) -> Phase {
        let Statement { kind, tid, .. } = record.statement;
        let mine = record.statement.maker() == self.me;
        match kind {
            Kind::Offer if mine => Phase::Offered(tid),
            Kind::Offer if record.taken => Phase::Inbox(tid),
            Kind::Accept if mine => Phase::Held,
            Kind::Refuse if mine && phase == Phase::Inbox(tid) => Phase::Out,
            Kind::Refuse if mine && !rules.holds(Rule::StillTombstone) => Phase::Out,
            Kind::Accept if phase == Phase::Offered(tid) => Phase::Gone,
            Kind::Refuse if phase == Phase::Offered(tid) => Phase::Held,
            // Only where a sender may take its offer back alone is a CANCEL more than a question.
            Kind::Cancel if !rules.holds(Rule::AskingTheReceiver) => Phase::Held,
            Kind::Offer | Kind::Accept | Kind::Refuse | Kind::Cancel => phase,
        }
    }

    /// The highest hop known.
    pub(crate) fn hop(&self) -> u8 {
        self.log.iter().map(|r| r.statement.tid.hop).max().unwrap_or(0)
    }

    /// Whether every hop up to the highest is proven here: without that no offer is made, for its certificate would
    /// have a gap.
    pub(crate) fn proven(&self, rules: &Rules) -> bool {
        let gaps = [Rule::Certificate, Rule::RefusalsInCertificate].iter().any(|rule| !rules.holds(*rule));
        let decided = |hop| self.log.iter().any(|r| r.statement.tid.hop == hop && r.statement.decides());
        gaps || (1..=self.hop()).all(decided)
    }

    /// The decision on a transfer, as known here.
    pub(crate) fn decision(&self, tid: Tid) -> Option<Statement> {
        self.log.iter().map(|r| r.statement).find(|s| s.tid == tid && s.decides())
    }

    /// Whether the ledger has this statement.
    pub(crate) fn has(&self, statement: &Statement) -> bool {
        self.log.iter().any(|r| r.statement == *statement)
    }

    /// Whether this node made that statement about that transfer.
    pub(crate) fn made(&self, kind: Kind, tid: Tid) -> bool {
        self.log.iter().any(|r| r.statement.kind == kind && r.statement.tid == tid)
    }

    /// The place of the next own statement.
    pub(crate) fn next_place(&self) -> Place {
        let own = self.log.iter().filter(|r| r.statement.maker() == self.me).count();
        Place { inc: self.inc, index: own as u8 + 1 }
    }

    /// Appends a statement made here, known from a certificate, or (`taken`) come by itself.
    pub(crate) fn append(&mut self, statement: Statement, taken: bool) {
        self.log.push(Record { statement, taken });
        if statement.decides() {
            self.receipts.retain(|tid| *tid != statement.tid);
        }
    }

    /// Makes a statement.
    pub(crate) fn make(&mut self, kind: Kind, tid: Tid) -> Statement {
        let statement = Statement { place: self.next_place(), kind, tid };
        self.append(statement, false);
        statement
    }

    /// What proves the hops below `hop`.
    pub(crate) fn certificate(&self, hop: u8, rules: &Rules) -> Certificate {
        if !rules.holds(Rule::Certificate) {
            return [].into();
        }
        let decided = self.log.iter().map(|r| r.statement).filter(|s| s.decides() && s.tid.hop < hop);
        let shown = |s: &Statement| s.kind == Kind::Accept || rules.holds(Rule::RefusalsInCertificate);
        let mut pairs: Vec<Statement> = decided.filter(shown).collect();
        pairs.sort_by_key(|s| s.tid);
        pairs.into_iter().flat_map(|s| [offer_of(s.tid), s]).collect()
    }

    /// Every outbox row, as the letters that are sent until they are answered.
    pub(crate) fn rows(&self, rules: &Rules) -> Vec<Letter> {
        let letter = |to, message| Letter { from: self.me, inc: self.inc, to, message };
        let own = self.log.iter().map(|r| r.statement).filter(|s| s.maker() == self.me);
        own.filter_map(|s| match s.kind {
            Kind::Offer | Kind::Cancel => {
                let open = self.decision(s.tid).is_none()
                    && !(s.kind == Kind::Offer && self.receipts.contains(&s.tid));
                open.then(|| letter(s.tid.to, Message::Ask(s, self.certificate(s.tid.hop, rules))))
            }
            Kind::Accept | Kind::Refuse => {
                (!self.acks.contains(&s.tid)).then(|| letter(s.tid.from, Message::Decision(s)))
            }
        })
        .collect()
    }
}

/// The OFFER of a transfer: its name is its hash, so the name is enough here.
pub(crate) fn offer_of(tid: Tid) -> Statement {
    Statement { place: tid.place, kind: Kind::Offer, tid }
}

/// Adds to a sorted set.
pub(crate) fn insert<T: Ord>(set: &mut Vec<T>, item: T) {
    if let Err(at) = set.binary_search(&item) {
        set.insert(at, item);
    }
}
