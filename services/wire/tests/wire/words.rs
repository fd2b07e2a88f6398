//! Words of a recovery: their limits, and the content that may lie beside what is given back.

use crate::fixture::{commitment, hash, id, intake, note, signer, simple, verifier, words};
use bytes::Bytes;
use lienthong_core::reason::Reason;
use lienthong_core::recovery::{
    ASK_PARTS, ASKED_AT_ONCE, Given, HIGHEST_INCARNATION, Left, VOUCHED_AT_ONCE, Word,
};
use lienthong_core::statement::{Body, Kind, Statement};
use lienthong_proto::v1;
use lienthong_proto::v1::recovery::Word as Said;
use lienthong_wire::envelope::{Letter, encode_envelope, open_envelope};
use lienthong_wire::statement::type_name;
use prost::Message;
use std::sync::Arc;

fn verdict(message: &v1::Recovery) -> Result<Arc<Statement>, Reason> {
    let body = message.encode_to_vec();
    let proof = v1::Proof::decode(&signer("xa-a").sign(Kind::Recovery, &body)[..]).unwrap();
    verifier().verify_statement(v1::SignedStatement {
        r#type: type_name(Kind::Recovery).into(),
        body: body.into(),
        proof: Some(proof),
    })
}

fn said(name: &str) -> v1::Recovery {
    let (_, word) = words().into_iter().find(|(n, _)| *n == name).unwrap();
    v1::Recovery::decode(&simple("xa-a", Body::Recovery(word)).sealed.body[..]).unwrap()
}

fn changed(name: &str, change: impl FnOnce(&mut Said)) -> Result<Arc<Statement>, Reason> {
    let mut message = said(name);
    change(message.word.as_mut().unwrap());
    verdict(&message)
}

fn asks(change: impl FnOnce(&mut v1::Ask)) -> Result<Arc<Statement>, Reason> {
    changed("ask", |word| match word {
        Said::Ask(ask) => change(ask),
        _ => unreachable!("it is an ASK"),
    })
}

const MALFORMED: Result<Arc<Statement>, Reason> = Err(Reason::MalformedStatement);

#[test]
fn a_question_has_its_limits() {
    let known =
        v1::KnownTrack { track: vec![1; 32].into(), statements: vec![2; 32].into(), has_content: false };
    assert!(asks(|ask| ask.tracks = vec![known.clone(); ASKED_AT_ONCE]).is_ok());
    assert_eq!(asks(|ask| ask.tracks = vec![known.clone(); ASKED_AT_ONCE + 1]), MALFORMED);
    assert_eq!(asks(|ask| ask.number = 0), MALFORMED);
    assert_eq!(asks(|ask| ask.number = ask.of + 1), MALFORMED);
    assert!(asks(|ask| ask.of = ASK_PARTS).is_ok());
    assert_eq!(asks(|ask| ask.of = ASK_PARTS + 1), MALFORMED);
    assert_eq!(asks(|ask| ask.after = vec![0; 31].into()), MALFORMED);
    assert_eq!(asks(|ask| ask.tracks[0].statements = Bytes::new()), MALFORMED);
}

#[test]
fn vouching_has_its_limit() {
    let resumed = |n: usize, length: usize| {
        changed("resumed", |word| match word {
            Said::Resumed(m) => m.vouched = vec![vec![1; length].into(); n],
            _ => unreachable!("it is a RESUMED"),
        })
    };
    assert!(resumed(VOUCHED_AT_ONCE, 32).is_ok());
    assert_eq!(resumed(VOUCHED_AT_ONCE + 1, 32), MALFORMED);
    assert_eq!(resumed(1, 31), MALFORMED);
}

#[test]
fn a_fence_has_a_whole_nonce_and_a_word_is_there() {
    let fence = |length: usize| {
        changed("fence", |word| match word {
            Said::Fence(m) => m.nonce = vec![1; length].into(),
            _ => unreachable!("it is a FENCE"),
        })
    };
    assert!(fence(16).is_ok());
    assert_eq!((fence(15), fence(17), fence(0)), (MALFORMED, MALFORMED, MALFORMED));
    assert_eq!(verdict(&v1::Recovery { word: None, ..said("fence") }), MALFORMED);
    assert_eq!(verdict(&v1::Recovery { claim: None, ..said("fence") }), MALFORMED);
}

/// The content of a track that is given back is that of its intake, which must lie beside it.
#[test]
fn what_is_given_back_comes_with_its_own_content() {
    let content = lienthong_wire::content::commit("plain/1", b"noi dung", &[5; 32]).unwrap().1;
    let begun = simple("huyen-b", intake(Some(commitment())));
    let other = simple("huyen-b", note(begun.sid(), begun.sid(), "x"));
    let without = simple("huyen-b", intake(None));
    let opened_as = |word, certificate: &[&Statement]| {
        let statement = simple("xa-a", Body::Recovery(word));
        let certificate: Vec<_> = certificate.iter().map(|s| (*s).into()).collect();
        let statement = (&*statement).into();
        let letter = Letter { statement, certificate: &certificate, content: Some(&content), trace: None };
        open_envelope(&verifier(), &id("xa-a"), encode_envelope(&letter).into())
            .map(|inbound| inbound.content)
    };
    let opened = |track, certificate: &[&Statement]| {
        let given = Given { track, ..given() };
        let given_back = opened_as(Word::Given(given), certificate);
        let left = opened_as(Word::Left(Left { given, undecided: true, moved_on: false }), certificate);
        assert_eq!(given_back, left, "what a retired one left comes like what is given back");
        left
    };
    assert_eq!(opened(Some(begun.sid()), &[&other, &begun]), Ok(Some(content.clone())));
    let mismatch = Err(Reason::ContentMismatch);
    assert_eq!(opened(Some(begun.sid()), &[&other]), mismatch);
    assert_eq!(opened(Some(hash(9)), &[&begun]), mismatch);
    assert_eq!(opened(None, &[&begun]), mismatch);
    assert_eq!(opened(Some(without.sid()), &[&without]), mismatch);
}

fn given() -> Given {
    match words().into_iter().find_map(|(_, word)| match word {
        Word::Given(given) => Some(given),
        _ => None,
    }) {
        Some(given) => given,
        None => unreachable!("GIVEN is a word"),
    }
}

/// A peer that tells of an incarnation above which there is none could keep the asker from ever having one.
#[test]
fn incarnations_leave_room_for_the_next() {
    let held = |held: u64| {
        changed("fenced", |word| match word {
            Said::Fenced(m) => m.held = held,
            _ => unreachable!("it is a FENCED"),
        })
    };
    assert!(held(HIGHEST_INCARNATION).is_ok());
    assert_eq!((held(HIGHEST_INCARNATION + 1), held(u64::MAX)), (MALFORMED, MALFORMED));
}
