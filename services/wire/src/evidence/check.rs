//! The check of an evidence file, in a fixed order, up to the first fault: the head; link by link the chain, signatures
//! and places; the checkpoint; what belongs to the track; the spine.

use super::beside::Offers;
use super::chain::{Chain, Opened, open};
use super::fault::{Fault, Position, What};
use super::verdict::{CustodyStep, Verdict};
use super::walk::{Broken, Spine, walk};
use crate::directory::DirectoryFile;
use crate::keys::KeyRing;
use crate::limits::EVIDENCE_SHOWN;
use crate::record::{RecordError, decode_record, verify_record};
use bytes::Bytes;
use lienthong_core::ids::{LedgerIndex, Sid, TrackId};
use lienthong_core::reason::Reason;
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{Body, Statement};
use lienthong_proto::v1;
use prost::Message;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Checks an evidence file. With `trusted` the keys come from the verifier's own directory, and the one in the file is
/// not looked at; without, the verdict is only as good as the directory in the file.
///
/// # Errors
/// The first fault.
pub fn verify(bytes: Bytes, trusted: Option<&DirectoryFile>) -> Result<Verdict, Fault> {
    let mut opened = open(bytes)?;
    let keys = match trusted {
        Some(directory) => KeyRing::of(directory),
        None => {
            let own = DirectoryFile::parse(&opened.directory);
            KeyRing::of(&own.map_err(|faults| Fault::file(What::Directory(faults)))?)
        }
    };
    let links = std::mem::take(&mut opened.links);
    let shown = Shown::read(&opened, &keys, links)?;
    let spine = shown.spine(opened.track)?;
    Ok(shown.verdict(opened, spine, trusted.is_some()))
}

/// What the links show.
struct Shown {
    statements: Vec<Arc<Statement>>,
    places: Vec<Position>,
    sids: BTreeSet<Sid>,
    links: usize,
}

impl Shown {
    fn read(opened: &Opened, keys: &KeyRing, links: Vec<Bytes>) -> Result<Self, Fault> {
        let mut chain = Chain::new(opened.agency.clone(), opened.first);
        let mut shown =
            Self { statements: vec![], places: vec![], sids: BTreeSet::new(), links: links.len() };
        let (mut checkpoint, mut last_shown) = (None, None);
        for link in links {
            let (at, index) = chain.next()?;
            let fault = |what| Fault { at, what };
            if let Some((at, _)) = checkpoint {
                return Err(Fault { at, what: What::EarlyCheckpoint });
            }
            let Some(shown_record) = chain.take(link)? else { continue };
            if shown.sids.len() == EVIDENCE_SHOWN {
                return Err(fault(What::TooLarge));
            }
            let record = record(shown_record, keys).map_err(fault)?;
            if let Some(record) = of_track(record, opened.track).map_err(fault)? {
                place(&record, opened, index, &chain).map_err(fault)?;
                if !shown.sids.insert(record.statement.sid()) {
                    return Err(fault(What::Twice(record.statement.sid())));
                }
                if matches!(record.statement.body, Body::Checkpoint { .. }) {
                    checkpoint = Some((at, record));
                    continue;
                }
                shown.statements.push(record.statement);
                shown.places.push(at);
            }
            last_shown = Some((at, index));
        }
        let Some((at, record)) = checkpoint.filter(|(_, r)| r.origin == Origin::Made) else {
            return Err(last_shown
                .map_or(Fault::file(What::NoCheckpoint), |(at, _)| Fault { at, what: What::NoCheckpoint }));
        };
        attested(&record.statement, at, &chain, last_shown)?;
        Ok(shown)
    }

    fn spine(&self, track: TrackId) -> Result<Spine, Fault> {
        let offers = Offers::of(&self.statements);
        for (statement, at) in self.statements.iter().zip(&self.places) {
            offers.check(track, statement).map_err(|what| Fault { at: *at, what })?;
        }
        walk(&self.statements).map_err(|broken| match broken {
            Broken::NoIntake => Fault::file(What::NoIntake),
            Broken::Fork(place, prev) => Fault { at: self.places[place], what: What::Fork(prev) },
            Broken::Step(place, cause) => Fault { at: self.places[place], what: What::Spine(cause) },
        })
    }

    fn verdict(self, opened: Opened, spine: Spine, trusted_directory: bool) -> Verdict {
        let step = |(place, custodian): (usize, _)| {
            let statement = &self.statements[place];
            CustodyStep {
                index: index_of(self.places[place]),
                sid: statement.sid(),
                kind: statement.body.kind(),
                maker: statement.claim.agency.clone(),
                at: statement.claim.made_at,
                custodian_after: custodian,
            }
        };
        let intake = spine.steps.first().map(|(place, _)| &self.statements[*place].body);
        let (code, procedure) = match intake {
            Some(Body::Intake(intake)) => (intake.code.clone(), intake.procedure.clone()),
            _ => Default::default(), // a walk begins with an intake
        };
        Verdict {
            agency: opened.agency,
            track: opened.track,
            code,
            procedure,
            steps: spine.steps.into_iter().map(step).collect(),
            custodians: spine.custodians,
            custodian_now: spine.end.holder,
            closed: spine.end.closed,
            unlinked: spine.unlinked.into_iter().map(|place| self.statements[place].sid()).collect(),
            statements: self.statements.len() + 1,
            links: self.links,
            trusted_directory,
        }
    }
}

fn index_of(at: Position) -> LedgerIndex {
    match at {
        Position::Link { index, .. } => index,
        Position::File => LedgerIndex(0), // statements have links
    }
}

fn record(shown: v1::ShownRecord, keys: &KeyRing) -> Result<Record, What> {
    // The signature is checked over the bytes before anything of them is parsed.
    let outer =
        v1::Record::decode(shown.payload.clone()).map_err(|_| What::Record(RecordError::Undecodable))?;
    if let Some(v1::record::Fact::Statement(statement)) = &outer.fact {
        let proof = shown.proof.as_ref().ok_or(What::Signature(Reason::BadSignature))?;
        keys.check(&statement.r#type, &statement.body, proof).map_err(What::Signature)?;
    }
    let proof = shown.proof.map(|proof| proof.encode_to_vec()).unwrap_or_default();
    let record = decode_record(shown.payload, &proof, None).map_err(What::Record)?;
    verify_record(keys, &record).map_err(What::Signature)?;
    Ok(record)
}

/// A statement that may be shown for this track; `None` for a read of its content.
fn of_track(record: Record, track: TrackId) -> Result<Option<StatementRecord>, What> {
    match record {
        Record::Statement(record) => match record.statement.track() {
            Some(other) if other != track => Err(What::Foreign),
            Some(_) | None => Ok(Some(record)),
        },
        Record::ContentRead { track: read, .. } if read == track => Ok(None),
        Record::ContentRead { .. }
        | Record::Opened { .. }
        | Record::Quarantined(_)
        | Record::QuarantineSettled(_)
        | Record::SnapshotTaken { .. } => Err(What::Foreign),
    }
}

/// What was made here claims this place and a head on this chain; what was taken was made elsewhere. What a peer gave
/// back was made here too, in a part of the ledger that is lost: its own place there proves nothing any more.
fn place(record: &StatementRecord, opened: &Opened, index: LedgerIndex, chain: &Chain) -> Result<(), What> {
    let claim = &record.statement.claim;
    match record.origin {
        Origin::Made | Origin::Returned if claim.agency != opened.agency => {
            Err(What::NotMadeHere(claim.agency.clone()))
        }
        Origin::Made if claim.index != index => Err(What::Place(claim.index)),
        Origin::Made if chain.holds(claim.head) == Some(false) => Err(What::Head),
        Origin::Taken if claim.agency == opened.agency => Err(What::TakenFromSelf),
        Origin::Made | Origin::Taken | Origin::Learned | Origin::Returned => Ok(()),
    }
}

/// The checkpoint's head must be on this chain, not before it, and cover all that is shown.
fn attested(
    checkpoint: &Statement,
    at: Position,
    chain: &Chain,
    last_shown: Option<(Position, LedgerIndex)>,
) -> Result<(), Fault> {
    let head = checkpoint.claim.head;
    if chain.holds(head) != Some(true) {
        return Err(Fault { at, what: What::Head });
    }
    match last_shown {
        Some((at, index)) if index.0 >= head.size => Err(Fault { at, what: What::Unattested }),
        Some(_) | None => Ok(()),
    }
}
