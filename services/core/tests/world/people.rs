//! Officers, and strangers who forge.

use super::codec::{Plain, commit, sha};
use super::network::Letter;
use super::{Fault, World};
use lienthong_core::authority::Retire;
use lienthong_core::codec::Codec;
use lienthong_core::custody::command::{Act, Command, OfferTo, Submit};
use lienthong_core::ids::{AgencyId, Head, Incarnation, LedgerIndex, Tid, TrackId, WallMs};
use lienthong_core::node::{Answer, Input};
use lienthong_core::reason::Reason;
use lienthong_core::record::{CommandRef, Record};
use lienthong_core::statement::{Body, Channel, Claim, HandOffKind, Officer, Resolution, Statement};
use std::sync::Arc;

/// What came of a command: the answer, or why not.
pub type Outcome = Result<Answer, Reason>;

/// A dossier as it is handed in at a counter.
pub fn dossier(content: Option<&str>, code: Option<&str>) -> Act {
    let bytes: Option<Arc<[u8]>> = content.map(|text| text.as_bytes().into());
    Act::Submit(Submit {
        code: code.map(Into::into),
        procedure: "1.001193".into(),
        procedure_version: 1,
        channel: Channel::Counter,
        content: bytes.map(|bytes| (commit(&bytes), bytes)),
        due_at: None,
        papers: Vec::new(),
    })
}

/// An offer with nothing remarkable about it.
pub fn offer(track: TrackId, to: AgencyId) -> Act {
    let (step, note) = ("xu-ly".into(), String::new());
    Act::Offer(OfferTo {
        track,
        to,
        kind: HandOffKind::Forward,
        step,
        due_at: None,
        papers: Vec::new(),
        note,
    })
}

/// The act of a verb on a track.
pub fn act(verb: &str, track: TrackId, tid: Tid) -> Option<Act> {
    Some(match verb {
        "accepts" => Act::Accept { tid, note: String::new() },
        "refuses" => Act::Refuse { tid, reason: "thiếu giấy tờ".into() },
        "recalls" => Act::Recall { track, reason: "chuyển nhầm".into() },
        "notes" => Act::Note { track, text: "đã xem".into() },
        "completes" => Act::Complete { track, resolution: Resolution::Resolved, note: String::new() },
        "returns" => Act::Return { track, channel: Channel::Counter, note: String::new() },
        _ => return None,
    })
}

impl World {
    /// An officer asks, under a key of its own.
    pub fn ask(&mut self, id: &AgencyId, act: Act) -> Result<Outcome, Fault> {
        self.calls += 1;
        self.ask_under(&format!("call-{}", self.calls), id, act)
    }

    /// An officer asks under this key.
    pub fn ask_under(&mut self, key: &str, id: &AgencyId, act: Act) -> Result<Outcome, Fault> {
        let call = CommandRef { key: key.into(), digest: sha(format!("{act:?}").as_bytes()) };
        let officer = Officer { id: format!("{id}-01"), name: "Nguyễn Thị Lan".into() };
        self.step(id, Input::Command(Command { call, officer, trace: None, act }))
    }

    /// The newest transfer of a track to an agency, wherever it is known.
    pub fn transfer_to(&self, track: TrackId, to: &AgencyId) -> Option<Tid> {
        let states = self.places.keys().filter(|id| self.at(id).node.is_some()).map(|id| self.state(id));
        let tracks = states.filter_map(|s| s.track(&track));
        let all = tracks.flat_map(|t| t.transfers.iter()).filter(|(_, t)| t.to == *to);
        all.max_by_key(|(_, t)| t.hop).map(|(tid, _)| *tid)
    }

    /// A letter with a statement that `maker` signs, right or wrong, beside the spine up to the OFFER of letter
    /// `offered`, which anybody could have seen.
    pub fn forge(&mut self, maker: &AgencyId, to: &AgencyId, body: Body, offered: Option<usize>) -> usize {
        let claim = Claim {
            agency: maker.clone(),
            incarnation: Incarnation(0),
            index: LedgerIndex(1_000_000 + self.letters.len() as u64),
            head: Head::EMPTY,
            made_at: WallMs(0),
            epoch: 1,
            officer: None,
        };
        let sealed = Plain.seal(&claim, &body);
        let statement = Arc::new(Statement { claim, body, sealed });
        let offered = offered.map(|n| self.letters[n].clone());
        let certificate = offered.map_or_else(Vec::new, |l| [l.certificate, vec![l.statement]].concat());
        let (from, to) = (maker.clone(), to.clone());
        self.letters.push(Letter {
            from,
            to,
            statement,
            certificate,
            content: None,
            delivered: 0,
            forged: true,
        });
        self.letters.len() - 1
    }

    /// An act of the authority, as an operator has it in a file.
    pub fn act(&self, agency: &AgencyId, successor: Option<AgencyId>, epoch: u64) -> Arc<Statement> {
        let claim = Claim {
            agency: super::id("tinh"),
            incarnation: Incarnation(0),
            index: LedgerIndex(0),
            head: Head::EMPTY,
            made_at: WallMs(0),
            epoch,
            officer: None,
        };
        let body = Body::Retire(Retire { agency: agency.clone(), successor, why: "sáp nhập".into() });
        let sealed = Plain.seal(&claim, &body);
        Arc::new(Statement { claim, body, sealed })
    }

    /// Nobody ever starts this agency again.
    pub fn die(&mut self, id: &AgencyId) {
        let place = self.at_mut(id);
        let mut left = lienthong_core::custody::state::State::new(id.clone());
        place.ledger.iter().for_each(|record| left.apply(record));
        (place.buried, place.node, place.stalled) = (Some(left), None, false);
        place.flights.clear();
        place.mailbox = super::network::Mailbox::Missing;
    }

    /// The statement of a record.
    pub fn statement(&self, id: &AgencyId, index: LedgerIndex) -> Option<Arc<Statement>> {
        match self.at(id).ledger.get(index.0 as usize) {
            Some(Record::Statement(record)) => Some(record.statement.clone()),
            _ => None,
        }
    }
}
