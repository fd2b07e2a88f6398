//! Evidence: two ledgers of one journey tell the same story; whatever is changed, left out or put in is found.

use crate::fixture::{ack, cancel, checkpoint, claim, directory, hash, id, made, note, received, simple};
use crate::journey::{Journey, check, journey, what};
use crate::ledger::Ledger;
use bytes::Bytes;
use lienthong_core::ids::{Head, LedgerIndex};
use lienthong_core::reason::Reason;
use lienthong_core::record::{Origin, Record};
use lienthong_core::statement::{Kind, RefusalCause, Statement};
use lienthong_proto::v1;
use lienthong_wire::directory::DirectoryFile;
use lienthong_wire::evidence::{EvidenceBuilder, HandOver, Outcome, Position, Verdict, What, verify};
use lienthong_wire::limits::{EVIDENCE_BYTES, PROOF_BYTES, SIGNED_BYTES};
use lienthong_wire::record::{RecordError, encode_record};
use prost::Message;
use std::sync::Arc;

#[test]
fn both_ledgers_tell_the_same_story() {
    let Journey { a, b, track } = journey();
    let (a, b) = (check(a.export(track)).unwrap(), check(b.export(track)).unwrap());
    let hand = |hop: u32, outcome| HandOver {
        hop: lienthong_core::ids::Hop(hop),
        from: id("xa-a"),
        to: id("huyen-b"),
        outcome,
    };
    assert_eq!(a.custodians, [hand(1, Outcome::Refused(RefusalCause::Officer)), hand(2, Outcome::Accepted)]);
    assert_eq!(a.custodians, b.custodians);
    assert_eq!((&a.custodian_now, a.closed), (&id("huyen-b"), true));
    assert_eq!((&b.custodian_now, b.closed), (&id("huyen-b"), true));
    let story = |v: &Verdict| v.steps.iter().map(|s| (s.sid, s.custodian_after.clone())).collect::<Vec<_>>();
    assert_eq!(story(&a), story(&b));
    assert_eq!(a.steps.len(), 8);
    assert_eq!((a.steps[0].kind, a.steps[0].index), (Kind::Intake, LedgerIndex(2)));
    assert_eq!((a.code.as_str(), a.procedure.as_str()), ("H51.00-240115-0001", "1.001193"));
    assert_eq!((a.agency, a.track, a.unlinked.len(), a.trusted_directory), (id("xa-a"), track, 0, true));
    assert_eq!((a.statements, a.links), (12, 15));
}

#[test]
fn a_file_brings_its_own_directory_and_says_so() {
    let Journey { a, track, .. } = journey();
    let bytes = Bytes::from(a.export(track));
    assert!(!verify(bytes.clone(), None).unwrap().trusted_directory);
    let mut other = directory();
    other.agencies[1].keys.clear();
    let fault = verify(bytes, Some(&other)).unwrap_err();
    assert_eq!(fault.what, What::Signature(Reason::UnknownKey));
}

/// Every bit of every signed body and every signature, with chain and head computed anew around the forgery.
#[test]
fn each_flipped_bit_is_found_at_its_link() {
    let Journey { mut b, track, .. } = journey();
    b.make(checkpoint());
    for place in 2..b.records.len() {
        let shown = v1::Record::decode(&b.records[place].0.payload[..]).unwrap();
        let Some(v1::record::Fact::Statement(statement)) = shown.fact else { panic!() };
        let proof = v1::Proof::decode(&b.records[place].0.proof[..]).unwrap();
        let Some(v1::proof::Kind::Direct(direct)) = proof.kind else { panic!() };
        let bits = (statement.body.len() * 8, direct.signature.len() * 8);
        for bit in 0..bits.0 + bits.1 {
            let mut forged = b.clone();
            if bit < bits.0 {
                let statement =
                    v1::StatementRecord { body: flipped(&statement.body, bit), ..statement.clone() };
                let fact = Some(v1::record::Fact::Statement(statement));
                forged.records[place].0.payload = v1::Record { fact }.encode_to_vec();
            } else {
                let signature = flipped(&direct.signature, bit - bits.0);
                let direct = v1::DirectSignature { signature, ..direct.clone() };
                let proof = v1::Proof { kind: Some(v1::proof::Kind::Direct(direct)) };
                forged.records[place].0.proof = proof.encode_to_vec().into();
            }
            let fault = check(forged.file(track)).expect_err("is found");
            let index = LedgerIndex(place as u64);
            assert_eq!(fault.at, Position::Link { number: place - 2, index }, "bit {bit}: {fault}");
            assert!(matches!(fault.what, What::Signature(_) | What::Record(_)), "bit {bit}: {fault}");
        }
    }
}

fn flipped(bytes: &Bytes, bit: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes.into()
}

/// The ledger's own administrator recomputes the chain, but cannot sign a new checkpoint for another key holder.
#[test]
fn dropped_swapped_and_repeated_links_are_found() {
    let Journey { mut a, track, .. } = journey();
    a.make(checkpoint());
    let good = a.file(track);
    assert!(check(good.clone()).is_ok());
    let evidence = v1::Evidence::decode(&good[..]).unwrap();
    let last = evidence.links.len() - 1;
    let changed = |change: &dyn Fn(&mut Vec<v1::Link>)| {
        let mut evidence = evidence.clone();
        change(&mut evidence.links);
        check(evidence.encode_to_vec()).map(drop).expect_err("is found")
    };
    for i in 0..last {
        changed(&|links| drop(links.remove(i)));
        changed(&|links| links.insert(i, links[i].clone()));
        changed(&|links| links[i] = v1::Link { kind: Some(v1::link::Kind::PayloadHash(vec![1; 32].into())) });
        if i + 1 < last {
            changed(&|links| links.swap(i, i + 1));
        }
    }
    assert_eq!(changed(&|links| drop(links.pop())).what, What::NoCheckpoint);
    assert_eq!(changed(&|links| links.push(links[0].clone())).what, What::EarlyCheckpoint);
    assert_eq!(changed(&|links| links[0] = v1::Link { kind: None }).what, What::Link);
    assert_eq!(changed(&|links| links.clear()).what, What::NoCheckpoint);
    // Hidden records count as much as shown ones.
    let hidden =
        evidence.links.iter().position(|l| matches!(l.kind, Some(v1::link::Kind::PayloadHash(_)))).unwrap();
    let flip = |links: &mut Vec<v1::Link>| {
        let Some(v1::link::Kind::PayloadHash(hash)) = &mut links[hidden].kind else { panic!() };
        *hash = flipped(hash, 77);
    };
    assert_eq!(changed(&flip).what, What::Head);
}

#[test]
fn the_head_of_the_file_counts() {
    let Journey { a, track, .. } = journey();
    let good = v1::Evidence::decode(&a.export(track)[..]).unwrap();
    let with = |change: &dyn Fn(&mut v1::Evidence)| {
        let mut evidence = good.clone();
        change(&mut evidence);
        what(evidence.encode_to_vec())
    };
    assert_eq!(with(&|e| e.format = 2), What::Format(2));
    assert_eq!(with(&|e| e.format = 0), What::Undecodable);
    assert_eq!(with(&|e| e.agency = "?".into()), What::Field("agency"));
    assert_eq!(with(&|e| e.agency = "so-c".into()), What::NotMadeHere(id("xa-a")));
    assert_eq!(with(&|e| e.track = hash(1).0.to_vec().into()), What::Foreign);
    assert_eq!(with(&|e| e.track.truncate(3)), What::Field("track"));
    assert_eq!(with(&|e| e.first_prev = flipped(&e.first_prev, 0)), What::Head);
    assert_eq!(with(&|e| e.first_index += 1), What::Place(LedgerIndex(2)));
    assert_eq!(what(vec![0xff; 50]), What::Undecodable);
    assert_eq!(what(vec![]), What::Undecodable);
    let mut evidence = good;
    evidence.directory = "version = 9".into();
    let fault = verify(evidence.encode_to_vec().into(), None).unwrap_err();
    assert!(matches!(fault.what, What::Directory(_)));
    assert!(fault.to_string().lines().count() >= 2, "two languages: {fault}");
    assert!(fault.vietnamese().contains("danh bạ") && fault.english().contains("directory"));
    assert_eq!(DirectoryFile::parse(&directory().to_toml()), Ok(directory()));
}

/// A ledger that lies about its own records, all of it signed well and chained well.
#[test]
fn what_a_ledger_may_not_say() {
    let Journey { a, b, track } = journey();
    let with = |ledger: &Ledger, origin, statement: &Arc<Statement>| {
        let mut ledger = ledger.clone();
        ledger.keep(origin, statement);
        what(ledger.export(track))
    };
    let size = a.records.len() as u64;
    let foreign = made(claim("xa-a", size, a.head()), note(hash(1), hash(2), "x"));
    assert_eq!(with(&a, Origin::Made, &foreign), What::Foreign);
    let misplaced = made(claim("xa-a", size + 1, a.head()), cancel(track, hash(2)));
    assert_eq!(with(&a, Origin::Made, &misplaced), What::Place(LedgerIndex(size + 1)));
    let rewritten = made(claim("xa-a", size, Head { hash: hash(1), ..a.head() }), cancel(track, hash(2)));
    assert_eq!(with(&a, Origin::Made, &rewritten), What::Head);
    let early = made(claim("xa-a", size, Head { size: size + 1, hash: hash(1) }), cancel(track, hash(2)));
    assert_eq!(with(&a, Origin::Made, &early), What::Head);
    let theirs = made(claim("huyen-b", size, a.head()), cancel(track, hash(2)));
    assert_eq!(with(&a, Origin::Made, &theirs), What::NotMadeHere(id("huyen-b")));
    let mine = made(claim("xa-a", size, a.head()), cancel(track, hash(2)));
    assert_eq!(with(&a, Origin::Taken, &mine), What::TakenFromSelf);
    let other_receipt = simple("so-c", received(hash(2), None));
    assert_eq!(with(&a, Origin::Taken, &other_receipt), What::Foreign);
    let other_ack = simple("so-c", ack(hash(2), hash(2)));
    assert_eq!(with(&a, Origin::Taken, &other_ack), What::Foreign);
    let second = check(b.clone().export(track)).unwrap().steps[4].sid;
    let stranger = simple("so-c", received(second, None));
    assert_eq!(with(&a, Origin::Taken, &stranger), What::Stranger(id("so-c")));
    let stranger = simple("so-c", cancel(track, second));
    assert_eq!(with(&a, Origin::Taken, &stranger), What::Stranger(id("so-c")));
    let twice = simple("huyen-b", cancel(track, hash(2)));
    let mut ledger = a.clone();
    ledger.keep(Origin::Taken, &twice);
    assert_eq!(with(&ledger, Origin::Taken, &twice), What::Twice(twice.sid()));
    let mut ledger = a.clone();
    let opened = &crate::records::each_other_kind()[0];
    ledger.records.push((encode_record(opened), true));
    assert_eq!(what(ledger.export(track)), What::Foreign);
    let read = Record::ContentRead {
        track,
        officer: lienthong_core::statement::Officer { id: "1".into(), name: "x".into() },
        purpose: "x".into(),
        at: lienthong_core::ids::WallMs(0),
    };
    let mut ledger = a.clone();
    ledger.records.push((encode_record(&read), true));
    assert!(check(ledger.export(track)).is_ok());
    // Who read another dossier is nobody's business here.
    let Record::ContentRead { officer, purpose, at, .. } = read else { panic!() };
    let other = Record::ContentRead { track: hash(2), officer, purpose, at };
    let mut ledger = a.clone();
    ledger.records.push((encode_record(&other), true));
    assert_eq!(what(ledger.export(track)), What::Foreign);
}

/// At each limit a file is read, one byte above it is not.
#[test]
fn sizes_are_bounded() {
    let Journey { a, track, .. } = journey();
    assert_eq!(what(vec![0; EVIDENCE_BYTES]), What::Undecodable);
    assert_eq!(what(vec![0; EVIDENCE_BYTES + 1]), What::TooLarge);
    assert_eq!(what(vec![0; EVIDENCE_BYTES + 2]), What::TooLarge);
    let good = v1::Evidence::decode(&a.export(track)[..]).unwrap();
    let with_link = |bytes: usize| {
        let mut evidence = good.clone();
        let mut shown = v1::ShownRecord { payload: Bytes::new(), proof: None };
        let link = |shown| v1::Link { kind: Some(v1::link::Kind::Shown(shown)) };
        shown.payload = vec![0xff; bytes - 8].into(); // two keys of one byte, two lengths of three
        evidence.links[0] = link(shown);
        assert_eq!(evidence.links[0].encoded_len(), bytes);
        what(evidence.encode_to_vec())
    };
    let largest = SIGNED_BYTES + 2_048;
    assert_eq!(with_link(largest), What::Record(RecordError::Undecodable));
    assert_eq!(with_link(largest + 1), What::TooLarge);
    assert_eq!(with_link(largest + 2), What::TooLarge);
    let mut builder = EvidenceBuilder::new(&id("xa-a"), track, String::new(), Head::EMPTY);
    let mut proof_of = |bytes: usize| {
        let checkpoint = v1::DirectSignature { signature: vec![0; bytes - 6].into(), ..Default::default() };
        let proof = v1::Proof { kind: Some(v1::proof::Kind::Direct(checkpoint)) }.encode_to_vec();
        assert_eq!(proof.len(), bytes);
        builder.shown(Bytes::new(), &proof)
    };
    assert_eq!(proof_of(PROOF_BYTES), Ok(()));
    assert_eq!(proof_of(PROOF_BYTES + 1), Err(Reason::BadSignature));
    assert_eq!(proof_of(PROOF_BYTES + 2), Err(Reason::BadSignature));
}

#[test]
fn checkpoints_must_cover_what_is_shown() {
    let Journey { a, track, .. } = journey();
    let attest = |head: Head| {
        let mut ledger = a.clone();
        let statement = made(claim("xa-a", a.records.len() as u64, head), checkpoint());
        ledger.keep(Origin::Made, &statement);
        check(ledger.file(track))
    };
    let size = a.records.len();
    assert!(attest(a.head()).is_ok());
    assert!(attest(a.head_at(size - 1)).is_ok(), "only hidden records come after it");
    assert_eq!(attest(a.head_at(size - 2)).unwrap_err().what, What::Unattested);
    assert_eq!(attest(a.head_at(1)).unwrap_err().what, What::Head);
    // One by another agency attests nothing here.
    let mut ledger = a.clone();
    ledger.keep(Origin::Taken, &simple("huyen-b", checkpoint()));
    assert_eq!(what(ledger.file(track)), What::NoCheckpoint);
}
