//! SUCCEED on the wire and in evidence: what a retired agency held is its successor's, with the act beside it.

use crate::acts::{act, key, with_authority};
use crate::fixture::{accept, hash, id, intake, note, offer, signed, simple, verifier};
use crate::golden::golden;
use crate::ledger::Ledger;
use lienthong_core::authority::Retire;
use lienthong_core::authority::succeed::Succeed;
use lienthong_core::ids::{Digest, Hop, WallMs};
use lienthong_core::reason::Reason;
use lienthong_core::record::Origin;
use lienthong_core::recovery::{ASKED_AT_ONCE, Known, Word};
use lienthong_core::statement::{Body, RefusalCause, Refuse, Statement};
use lienthong_proto::v1;
use lienthong_wire::act::sign;
use lienthong_wire::evidence::{Outcome, What, verify};
use prost::Message;
use std::sync::Arc;

fn succeed(track: Digest, prev: Digest, hop: u32, act: Digest) -> Body {
    Body::Succeed(Succeed { track, prev, hop: Hop(hop), act })
}

#[test]
fn a_succession_is_read_back() {
    let statement = simple("xa-a", succeed(hash(1), hash(2), 3, hash(4)));
    let kept = golden("succeed.v1", &signed(&statement).encode_to_vec());
    let old = v1::SignedStatement::decode(&kept[..]).unwrap();
    assert_eq!(verifier().verify_statement(old).unwrap(), statement);
    assert_eq!((statement.track(), statement.body.prev()), (Some(hash(1)), Some(hash(2))));
    // Behind an intake nothing was offered; above the last hop there is none.
    assert!(
        verifier().verify_statement(signed(&simple("xa-a", succeed(hash(1), hash(1), 0, hash(4))))).is_ok()
    );
    let high = signed(&simple("xa-a", succeed(hash(1), hash(1), 257, hash(4))));
    assert_eq!(verifier().verify_statement(high), Err(Reason::MalformedStatement));
}

/// A REFUSE cannot say what only a SUCCEED may.
#[test]
fn no_refusal_is_a_succession() {
    let (cause, reason) = (RefusalCause::Succeeded, String::new());
    let refuse = Refuse { track: hash(1), tid: hash(2), hop: Hop(1), cause, reason };
    let forged = simple("xa-a", Body::Refuse(refuse));
    assert_eq!(verifier().verify_statement(signed(&forged)), Err(Reason::MalformedStatement));
}

/// What repeats in the question is counted before anything is allocated for it.
#[test]
fn a_question_is_bounded() {
    let asked = |count: usize| {
        let word = crate::fixture::words().into_iter().find_map(|(_, word)| match word {
            Word::Estate(estate) => Some(estate),
            _ => None,
        });
        let mut estate = word.unwrap();
        estate.ask.tracks = vec![Known { track: hash(1), statements: hash(2), has_content: false }; count];
        verifier().verify_statement(signed(&simple("xa-a", Body::Recovery(Word::Estate(estate))))).map(|_| ())
    };
    assert_eq!(asked(ASKED_AT_ONCE), Ok(()));
    assert_eq!(asked(ASKED_AT_ONCE + 1), Err(Reason::MalformedStatement));
}

/// What is shown beside what is right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Also {
    Nothing,
    /// The retired one goes on, behind what its successor follows.
    Note,
    /// Its last offer, which the successor follows, is shown, and came to nobody.
    Offer,
    /// The same, and the receiver signs.
    Acceptance,
    /// Somebody whom no act names signs the same.
    Claim,
}

/// The successor's ledger: taken in by A, handed to B, which is retired, succeeded by C, and offered to A.
fn succeeded(act: Option<&Arc<Statement>>, also: Also) -> Vec<u8> {
    let (mut a, mut b, mut c) = (Ledger::new("xa-a"), Ledger::new("huyen-b"), Ledger::new("so-c"));
    let intake = a.make(intake(None));
    let track = intake.sid();
    let first = a.make(offer(track, track, 1, "huyen-b", None));
    let accepted = b.make(accept(track, first.sid(), 1));
    [&intake, &first, &accepted].into_iter().for_each(|s| c.keep(Origin::Learned, s));
    if let Some(act) = act {
        c.keep(Origin::Learned, act);
    }
    let (mut prev, mut hop) = (accepted.sid(), 1);
    if matches!(also, Also::Offer | Also::Acceptance) {
        let last = b.make(offer(track, prev, 2, "xa-a", None));
        c.keep(Origin::Learned, &last);
        (prev, hop) = (last.sid(), 2);
    }
    let named = act.map_or(hash(7), |act| act.sid());
    let taken = c.make(succeed(track, prev, hop, named));
    match also {
        Also::Note => c.keep(Origin::Learned, &b.make(note(track, prev, "vẫn làm"))),
        Also::Acceptance => c.keep(Origin::Taken, &a.make(accept(track, prev, 2))),
        Also::Claim => c.keep(Origin::Taken, &a.make(succeed(track, prev, hop, named))),
        Also::Nothing | Also::Offer => {}
    }
    c.make(offer(track, taken.sid(), hop + 1, "xa-a", None));
    c.export(track)
}

#[test]
fn evidence_over_a_succession_needs_its_act() {
    let trusted = with_authority();
    let judge = |file: Vec<u8>| verify(file.into(), Some(&trusted));
    let right = Arc::new(act());
    let verdict = judge(succeeded(Some(&right), Also::Nothing)).unwrap();
    assert_eq!((&verdict.custodian_now, verdict.steps.len()), (&id("so-c"), 5));
    let outcomes: Vec<Outcome> = verdict.custodians.iter().map(|hop| hop.outcome).collect();
    assert_eq!(outcomes, [Outcome::Accepted, Outcome::Undecided]);
    let verdict = judge(succeeded(Some(&right), Also::Offer)).unwrap();
    let outcomes: Vec<Outcome> = verdict.custodians.iter().map(|hop| hop.outcome).collect();
    let decided = Outcome::Refused(RefusalCause::Succeeded);
    assert_eq!(outcomes, [Outcome::Accepted, decided, Outcome::Undecided]);
    // Whoever is named by no act only claims, and nothing follows from it.
    let verdict = judge(succeeded(Some(&right), Also::Claim)).unwrap();
    assert_eq!((&verdict.custodian_now, verdict.unlinked.len()), (&id("so-c"), 1));

    for other in
        [None, Some((id("so-c"), None)), Some((id("huyen-b"), None)), Some((id("huyen-b"), Some(id("xa-a"))))]
    {
        let act = other.map(|(agency, successor)| {
            let retire = Retire { agency, successor, why: "khác".into() };
            Arc::new(sign(key(), id("tinh"), 7, WallMs(0), retire))
        });
        let verdict = judge(succeeded(act.as_ref(), Also::Nothing)).unwrap();
        assert_eq!((&verdict.custodian_now, verdict.steps.len()), (&id("huyen-b"), 3), "it proves nothing");
        assert_eq!(verdict.unlinked.len(), 2);
    }
    for also in [Also::Note, Also::Acceptance] {
        let fault = judge(succeeded(Some(&right), also)).map(|_| ()).unwrap_err();
        assert!(matches!(fault.what, What::Fork(_)), "{:?}", fault.what);
    }
}
