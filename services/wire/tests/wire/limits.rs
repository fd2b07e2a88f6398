//! Bodies that are signed well and say what may not be said: too long, too many, not a choice, not an id, not a text.

use crate::fixture::{claim, hash, signer, simple, verifier};
use bytes::Bytes;
use lienthong_core::ids::{Head, Hop};
use lienthong_core::limits;
use lienthong_core::reason::Reason;
use lienthong_core::statement as core;
use lienthong_core::statement::{Body, Kind, Statement};
use lienthong_proto::v1;
use lienthong_wire::statement::type_name;
use prost::Message;
use std::sync::Arc;

fn verdict(kind: Kind, body: Vec<u8>) -> Result<Arc<Statement>, Reason> {
    let proof = v1::Proof::decode(&signer("xa-a").sign(kind, &body)[..]).unwrap();
    let signed =
        v1::SignedStatement { r#type: type_name(kind).into(), body: body.into(), proof: Some(proof) };
    verifier().verify_statement(signed)
}

fn refused(kind: Kind, message: &(impl Message + std::fmt::Debug)) {
    assert_eq!(verdict(kind, message.encode_to_vec()), Err(Reason::MalformedStatement), "{message:?}");
}

fn template<M: Message + Default>(body: Body) -> M {
    M::decode(&simple("xa-a", body).sealed.body[..]).unwrap()
}

fn b(byte: u8, length: usize) -> Bytes {
    vec![byte; length].into()
}

#[test]
fn notes() {
    let good: v1::Note = template(crate::fixture::note(hash(1), hash(2), "x"));
    assert!(verdict(Kind::Note, good.encode_to_vec()).is_ok());
    assert!(
        verdict(
            Kind::Note,
            v1::Note { text: "x".repeat(limits::TEXT_BYTES), ..good.clone() }.encode_to_vec()
        )
        .is_ok()
    );
    refused(Kind::Note, &v1::Note { text: "x".repeat(limits::TEXT_BYTES + 1), ..good.clone() });
    refused(Kind::Note, &v1::Note { track: b(1, 31), ..good.clone() });
    refused(Kind::Note, &v1::Note { prev: b(1, 33), ..good.clone() });
    refused(Kind::Note, &v1::Note { prev: Bytes::new(), ..good.clone() });
    refused(Kind::Note, &v1::Note { claim: None, ..good });
}

#[test]
fn claims() {
    let good: v1::Note = template(crate::fixture::note(hash(1), hash(2), "x"));
    let with = |change: &dyn Fn(&mut v1::Claim)| {
        let mut note = good.clone();
        change(note.claim.as_mut().unwrap());
        note
    };
    refused(Kind::Note, &with(&|c| c.agency = "Xã A".into()));
    refused(Kind::Note, &with(&|c| c.agency = String::new()));
    refused(Kind::Note, &with(&|c| c.agency = "a".repeat(41)));
    refused(Kind::Note, &with(&|c| c.head = b(0, 20)));
    let long = "x".repeat(limits::OFFICER_BYTES + 1);
    refused(Kind::Note, &with(&|c| c.officer.as_mut().unwrap().name = long.clone()));
    refused(Kind::Note, &with(&|c| c.officer.as_mut().unwrap().id = long.clone()));
    assert!(verdict(Kind::Note, with(&|c| c.officer = None).encode_to_vec()).is_ok());
}

#[test]
fn offers() {
    let good: v1::Offer =
        template(crate::fixture::offer(hash(1), hash(2), 1, "huyen-b", Some(crate::fixture::commitment())));
    assert!(verdict(Kind::Offer, good.encode_to_vec()).is_ok());
    let papers = |n| vec![v1::PaperItem { name: "Giấy".into(), copies: 1 }; n];
    let with = |change: &dyn Fn(&mut v1::Offer)| {
        let mut offer = good.clone();
        change(&mut offer);
        offer
    };
    assert!(verdict(Kind::Offer, with(&|o| o.paper_items = papers(limits::PAPERS)).encode_to_vec()).is_ok());
    refused(Kind::Offer, &with(&|o| o.paper_items = papers(limits::PAPERS + 1)));
    refused(Kind::Offer, &with(&|o| o.paper_items[0].name = "x".repeat(limits::PAPER_BYTES + 1)));
    for kind in [0, 9, -1] {
        refused(Kind::Offer, &with(&|o| o.kind = kind));
    }
    for hop in [0, limits::HOPS + 1, u32::MAX] {
        refused(Kind::Offer, &with(&|o| o.hop = hop));
    }
    refused(Kind::Offer, &with(&|o| o.to = "a.b".into()));
    refused(Kind::Offer, &with(&|o| o.step = "x".repeat(limits::STEP_BYTES + 1)));
    refused(Kind::Offer, &with(&|o| o.procedure_code = "1".repeat(limits::PROCEDURE_BYTES + 1)));
    refused(Kind::Offer, &with(&|o| o.content.as_mut().unwrap().commitment = b(1, 16)));
    refused(Kind::Offer, &with(&|o| o.content.as_mut().unwrap().length = limits::CONTENT_BYTES as u64 + 1));
    refused(Kind::Offer, &with(&|o| o.content.as_mut().unwrap().format = "x".repeat(33)));
}

#[test]
fn other_kinds() {
    let intake: v1::Intake = template(crate::fixture::intake(None));
    refused(Kind::Intake, &v1::Intake { channel: 0, ..intake.clone() });
    refused(Kind::Intake, &v1::Intake { parent: b(1, 5), ..intake.clone() });
    refused(Kind::Intake, &v1::Intake { dossier_code: "x".repeat(limits::CODE_BYTES + 1), ..intake });
    let refuse: v1::Refuse = template(crate::fixture::refuse(hash(1), hash(2), 1));
    refused(Kind::Refuse, &v1::Refuse { cause: 4, ..refuse });
    let completed: v1::Completed = template(crate::fixture::completed(hash(1), hash(2)));
    refused(Kind::Completed, &v1::Completed { resolution: 0, ..completed });
    let returned: v1::Returned = template(crate::fixture::returned(hash(1), hash(2)));
    refused(Kind::Returned, &v1::Returned { channel: 4, ..returned });
    let received: v1::Received = template(crate::fixture::received(hash(1), None));
    let many = vec![received.items[0].clone(); limits::BATCHED_ANSWERS + 1];
    refused(Kind::Received, &v1::Received { items: many, ..received });
    let ack: v1::Ack = template(crate::fixture::ack(hash(1), hash(2)));
    let many = vec![ack.items[0].clone(); limits::BATCHED_ANSWERS + 1];
    refused(Kind::Ack, &v1::Ack { items: many, ..ack.clone() });
    refused(Kind::Ack, &v1::Ack { items: vec![Default::default()], ..ack });
}

/// Each limit at once stays below the body's: no statement the core allows is refused by its size.
#[test]
fn the_largest_lawful_bodies_pass() {
    let long = |n: usize| "x".repeat(n);
    let paper = core::PaperItem { name: long(limits::PAPER_BYTES), copies: u32::MAX };
    let offer = core::Offer {
        track: hash(1),
        prev: hash(2),
        hop: Hop(limits::HOPS),
        to: crate::fixture::id(&long(40)),
        kind: core::HandOffKind::ReHome,
        procedure: long(limits::PROCEDURE_BYTES),
        procedure_version: u32::MAX,
        step: long(limits::STEP_BYTES),
        due_at: Some(lienthong_core::ids::WallMs(i64::MAX)),
        papers: vec![paper; limits::PAPERS],
        content: Some(crate::fixture::commitment()),
        note: long(limits::TEXT_BYTES),
    };
    let item = core::AckItem { track: hash(1), sid: hash(2) };
    let received = core::ReceivedItem { tid: hash(1), commitment: Some(hash(2)) };
    for body in [
        Body::Offer(offer),
        Body::Ack(vec![item; limits::BATCHED_ANSWERS]),
        Body::Received(vec![received; limits::BATCHED_ANSWERS]),
    ] {
        let mut claim = claim("xa-a", u64::MAX, Head { size: u64::MAX, hash: hash(1) });
        claim.officer =
            Some(core::Officer { id: long(limits::OFFICER_BYTES), name: long(limits::OFFICER_BYTES) });
        let statement = crate::fixture::made(claim, body);
        assert!(verifier().verify_statement(crate::fixture::signed(&statement)).is_ok());
    }
}

/// At each size limit a statement is judged by its signature, one byte above it is not looked at.
#[test]
fn sizes_come_before_signatures() {
    let note = simple("xa-a", crate::fixture::note(hash(1), hash(2), "x"));
    let with = |kind: usize, body: usize| {
        let signed = crate::fixture::signed(&note);
        let (kind, body) = ("t".repeat(kind), vec![0; body].into());
        verifier().verify_statement(v1::SignedStatement { r#type: kind, body, ..signed }).map(drop)
    };
    let (kind, body) = (lienthong_wire::limits::TYPE_BYTES, lienthong_wire::limits::BODY_BYTES);
    assert_eq!(with(kind, body), Err(Reason::BadSignature));
    assert_eq!(with(kind + 1, 1), Err(Reason::MalformedStatement));
    assert_eq!(with(kind + 2, 1), Err(Reason::MalformedStatement));
    assert_eq!(with(1, body + 1), Err(Reason::MalformedStatement));
    assert_eq!(with(1, body + 2), Err(Reason::MalformedStatement));
}

#[test]
fn bytes_that_are_no_message() {
    let good = simple("xa-a", crate::fixture::note(hash(1), hash(2), "abc")).sealed.body.to_vec();
    let at = good.windows(3).position(|w| w == b"abc").unwrap();
    let mut invalid_utf8 = good.clone();
    invalid_utf8[at] = 0xff;
    let mut oversized = good.clone();
    oversized.extend_from_slice(&[0xfa, 0x7f, 0x80, 0x80, 0x04]); // field 2047, 64 KiB
    oversized.extend(vec![0; 64 * 1024]);
    for bad in [invalid_utf8, good[..good.len() - 1].to_vec(), oversized, vec![0xff; 20], vec![]] {
        assert_eq!(verdict(Kind::Note, bad).map(drop), Err(Reason::MalformedStatement));
    }
}
