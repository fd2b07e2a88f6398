//! Acts of the authority: signed with its key and with no other, and its key signs nothing else.

use crate::fixture::{accept, claim, directory, hash, id, intake, note, offer, signed, signer, simple};
use crate::golden::golden;
use crate::ledger::Ledger;
use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::authority::{Act, Retire, WHY_BYTES};
use lienthong_core::codec::Codec;
use lienthong_core::custody::spine::Break;
use lienthong_core::custody::state::State;
use lienthong_core::ids::{Digest, Head, Hop, LedgerIndex, WallMs};
use lienthong_core::reason::Reason;
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{Body, RefusalCause, Refuse, Statement};
use lienthong_proto::v1;
use lienthong_wire::act::{from_file, sign, to_file};
use lienthong_wire::directory::{DirectoryFile, PublicKey};
use lienthong_wire::evidence::{Outcome, What, verify};
use lienthong_wire::keys::{KeyRing, Signer, SigningKey};
use lienthong_wire::record::{decode_record, encode_record, verify_record};
use lienthong_wire::snapshot::{self, Snapshot};
use lienthong_wire::statement::WireCodec;
use lienthong_wire::verify::Verifier;
use prost::Message;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed("tinh.2024", &[9; 32]).unwrap()
}

/// The fixture's directory with a key of its authority.
pub(crate) fn with_authority() -> DirectoryFile {
    let mut file = directory();
    file.authority.keys.push(PublicKey { id: key().id().into(), public: key().public() });
    file
}

fn verifier() -> Verifier {
    Verifier::new(Arc::new(KeyRing::of(&with_authority())))
}

fn retire(why: &str) -> Retire {
    Retire { agency: id("huyen-b"), successor: Some(id("so-c")), why: why.into() }
}

pub(crate) fn act() -> Statement {
    let made_at = WallMs(1_705_276_800_000);
    sign(key(), id("tinh"), 7, made_at, retire("NQ 1668/NQ-UBTVQH15"))
}

#[test]
fn an_act_is_read_back_from_its_file() {
    let act = act();
    let kept = golden("retire.v1", &to_file(&act));
    let read = from_file(&kept).unwrap();
    assert_eq!(*verifier().verify_statement(read).unwrap(), act);
    assert_eq!((act.track(), act.body.prev()), (None, None));
    assert_eq!(from_file(b"noise"), Err(Reason::MalformedStatement));
    assert_eq!(from_file(&vec![0; 100_000]), Err(Reason::MalformedStatement));
}

#[test]
fn an_act_in_a_ledger_is_verified_again() {
    let statement = Arc::new(act());
    let (origin, command, trace, content) = (Origin::Learned, None, None, None);
    let record = Record::Statement(StatementRecord { origin, statement, command, trace, content });
    let encoded = encode_record(&record);
    let decoded = decode_record(encoded.payload.into(), &encoded.proof, None).unwrap();
    assert_eq!(decoded, record);
    assert_eq!(verify_record(&KeyRing::of(&with_authority()), &decoded), Ok(()));
    assert_eq!(verify_record(&KeyRing::of(&directory()), &decoded), Err(Reason::UnknownKey));
}

/// An agency cannot retire another, whoever it claims to be.
#[test]
fn nobody_else_signs_an_act() {
    for claimed in ["xa-a", "tinh"] {
        let mut claim = claim("xa-a", 0, Head::EMPTY);
        claim.agency = id(claimed);
        let body = Body::Retire(retire("tự ý"));
        let sealed = WireCodec.seal(&claim, &body);
        let sealed = signer("xa-a").sign_sealed(body.kind(), &sealed);
        let forged = Statement { claim, body, sealed };
        assert_eq!(verifier().verify_statement(signed(&forged)), Err(Reason::BadSignature), "{claimed}");
    }
    let stranger = SigningKey::from_seed("tinh.2024", &[10; 32]).unwrap();
    let forged = sign(stranger, id("tinh"), 7, WallMs(0), retire("khóa khác"));
    assert_eq!(verifier().verify_statement(signed(&forged)), Err(Reason::BadSignature));
    let unknown = Verifier::new(Arc::new(KeyRing::of(&directory())));
    assert_eq!(unknown.verify_statement(signed(&act())), Err(Reason::UnknownKey));
}

/// The authority holds no dossier: whatever else its key signs is nothing.
#[test]
fn the_authority_signs_nothing_else() {
    let mut claim = claim("xa-a", 3, Head::EMPTY);
    claim.agency = id("tinh");
    let body = note(hash(1), hash(2), "x");
    let sealed = Signer::new(key()).sign_sealed(body.kind(), &WireCodec.seal(&claim, &body));
    let forged = Statement { claim, body, sealed };
    assert_eq!(verifier().verify_statement(signed(&forged)), Err(Reason::BadSignature));
}

#[test]
fn each_bit_of_an_act_counts() {
    let good = signed(&act());
    for bit in 0..good.body.len() * 8 {
        let mut body = good.body.to_vec();
        body[bit / 8] ^= 1 << (bit % 8);
        let bad = v1::SignedStatement { body: body.into(), ..good.clone() };
        assert_eq!(verifier().verify_statement(bad), Err(Reason::BadSignature), "bit {bit}");
    }
}

#[test]
fn what_no_authority_would_sign_is_malformed() {
    let long = sign(key(), id("tinh"), 7, WallMs(0), retire(&"x".repeat(WHY_BYTES + 1)));
    assert_eq!(verifier().verify_statement(signed(&long)), Err(Reason::MalformedStatement));
    let itself = Retire { agency: id("so-c"), successor: Some(id("so-c")), why: "x".into() };
    let itself = sign(key(), id("tinh"), 7, WallMs(0), itself);
    assert_eq!(verifier().verify_statement(signed(&itself)), Err(Reason::MalformedStatement));
    let fits = sign(key(), id("tinh"), 7, WallMs(0), retire(&"x".repeat(WHY_BYTES)));
    assert!(verifier().verify_statement(signed(&fits)).is_ok());
    assert!(signed(&fits).encoded_len() < 1_000, "many of them lie beside one word");
}

#[test]
fn acts_are_in_a_snapshot() {
    let mut state = State::new(id("xa-a"));
    for (n, successor) in [(1, None), (2, Some(id("so-c")))] {
        let act = Act {
            agency: id("huyen-b"),
            successor,
            epoch: 7,
            made_at: WallMs(5),
            index: LedgerIndex(n),
            known_by: BTreeSet::from([id("so-c")]),
        };
        state.memory.acts.0.insert(Digest([n as u8; 32]), act);
    }
    let snapshot = Snapshot { position: vec![1], physical_head: hash(7), states: vec![state] };
    assert_eq!(snapshot::decode(&snapshot::encode(&snapshot)), Ok(snapshot));
}

fn reclaim(track: Digest, tid: Digest, act: Digest) -> Body {
    Body::Reclaim(Reclaim { track, tid, hop: Hop(1), act })
}

#[test]
fn a_reclaim_is_read_back() {
    let statement = simple("xa-a", reclaim(hash(1), hash(2), hash(3)));
    let kept = golden("reclaim.v1", &signed(&statement).encode_to_vec());
    let old = v1::SignedStatement::decode(&kept[..]).unwrap();
    assert_eq!(verifier().verify_statement(old).unwrap(), statement);
    assert_eq!((statement.track(), statement.body.prev()), (Some(hash(1)), Some(hash(2))));
}

/// A REFUSE cannot say what only a giver's RECLAIM may.
#[test]
fn no_refusal_is_a_reclaim() {
    let (cause, reason) = (RefusalCause::Reclaimed, String::new());
    let refuse = Refuse { track: hash(1), tid: hash(2), hop: Hop(1), cause, reason };
    let forged = simple("xa-a", Body::Refuse(refuse));
    assert_eq!(verifier().verify_statement(signed(&forged)), Err(Reason::MalformedStatement));
}

/// A's ledger: taken in, offered to B, which is retired, reclaimed, and given to C. `with` says what of it is shown.
fn reclaimed(act: Option<&Arc<Statement>>, also: Option<&str>) -> Vec<u8> {
    let (mut a, mut b) = (Ledger::new("xa-a"), Ledger::new("huyen-b"));
    let intake = a.make(intake(None));
    let track = intake.sid();
    let first = a.make(offer(track, track, 1, "huyen-b", None));
    if let Some(act) = act {
        a.keep(Origin::Learned, act);
    }
    let named = act.map_or(hash(7), |act| act.sid());
    let back = a.make(reclaim(track, first.sid(), named));
    if also == Some("an acceptance") {
        let accepted = b.make(accept(track, first.sid(), 1));
        a.keep(Origin::Taken, &accepted);
    }
    let second = a.make(offer(track, back.sid(), 2, "so-c", None));
    let mut c = Ledger::new("so-c");
    a.keep(Origin::Taken, &c.make(accept(track, second.sid(), 2)));
    a.export(track)
}

#[test]
fn evidence_over_a_reclaim_needs_its_act() {
    let trusted = with_authority();
    let judge = |file: Vec<u8>| verify(file.into(), Some(&trusted));
    let right = Arc::new(act());
    let verdict = judge(reclaimed(Some(&right), None)).unwrap();
    assert_eq!((&verdict.custodian_now, verdict.steps.len()), (&id("so-c"), 5));
    let outcomes: Vec<Outcome> = verdict.custodians.iter().map(|hop| hop.outcome).collect();
    assert_eq!(outcomes, [Outcome::Refused(RefusalCause::Reclaimed), Outcome::Accepted]);

    let spine = |file| judge(file).map(|v| v.steps.len()).map_err(|fault| fault.what);
    assert_eq!(spine(reclaimed(None, None)), Err(What::Spine(Break::Act)));
    let other = Retire { agency: id("so-c"), successor: None, why: "nơi khác".into() };
    let other = Arc::new(sign(key(), id("tinh"), 7, WallMs(0), other));
    assert_eq!(spine(reclaimed(Some(&other), None)), Err(What::Spine(Break::Act)));
    let contradiction = spine(reclaimed(Some(&right), Some("an acceptance")));
    assert!(matches!(contradiction, Err(What::Fork(_))), "{contradiction:?}");
    // Whoever does not know the authority's key does not take its act.
    let fault = verify(reclaimed(Some(&right), None).into(), Some(&directory())).unwrap_err();
    assert_eq!(fault.what, What::Signature(Reason::UnknownKey));
}
