//! Everything forged is refused, before the core sees it.

use crate::fixture::{claim, each_kind, hash, id, note, signed, signer, simple, verifier};
use lienthong_core::codec::Codec;
use lienthong_core::ids::Head;
use lienthong_core::reason::Reason;
use lienthong_core::statement::{Kind, Statement};
use lienthong_proto::v1;
use lienthong_wire::keys::{KeyRing, Signer, SigningKey};
use lienthong_wire::limits::BODY_BYTES;
use lienthong_wire::statement::{WireCodec, pae, sid, type_name};
use prost::Message;
use std::sync::Arc;

fn direct(signed: &mut v1::SignedStatement) -> &mut v1::DirectSignature {
    match signed.proof.as_mut().unwrap().kind.as_mut().unwrap() {
        v1::proof::Kind::Direct(direct) => direct,
        v1::proof::Kind::Checkpoint(_) => panic!("one alone is signed directly"),
    }
}

#[test]
fn what_was_signed_verifies_to_the_same_statement() {
    let verifier = verifier();
    for statement in each_kind() {
        let verified = verifier.verify_statement(signed(&statement)).unwrap();
        assert_eq!(verified, statement);
        let again = verifier.verify_statement(signed(&statement)).unwrap();
        assert!(Arc::ptr_eq(&verified, &again), "the second time it is remembered");
    }
}

#[test]
fn each_bit_of_body_and_signature_counts() {
    for statement in each_kind() {
        let good = signed(&statement);
        for bit in 0..good.body.len() * 8 {
            let mut bad = good.clone();
            let mut body = bad.body.to_vec();
            body[bit / 8] ^= 1 << (bit % 8);
            bad.body = body.into();
            assert_eq!(verifier().verify_statement(bad), Err(Reason::BadSignature), "body bit {bit}");
        }
        for bit in 0..64 * 8 {
            let mut bad = good.clone();
            let mut bytes = direct(&mut bad).signature.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            direct(&mut bad).signature = bytes.into();
            assert_eq!(verifier().verify_statement(bad), Err(Reason::BadSignature), "signature bit {bit}");
        }
    }
}

/// What the signature is over decides, not what is beside it: the type belongs to it too.
#[test]
fn a_statement_cannot_pass_as_another_kind() {
    let statement = simple("xa-a", note(hash(1), hash(2), "x"));
    let mut bad = signed(&statement);
    bad.r#type = type_name(Kind::Completed).into();
    assert_eq!(verifier().verify_statement(bad), Err(Reason::BadSignature));
}

#[test]
fn keys_must_be_known_and_the_claimed_agencys() {
    let statement = simple("xa-a", note(hash(1), hash(2), "x"));
    let mut bad = signed(&statement);
    direct(&mut bad).key_id = "nobody".into();
    assert_eq!(verifier().verify_statement(bad), Err(Reason::UnknownKey));

    let mut bad = signed(&statement);
    direct(&mut bad).key_id = "huyen-b.2024".into();
    assert_eq!(verifier().verify_statement(bad), Err(Reason::BadSignature));

    // Signed well by B, but claiming to be A.
    let (claim, body) = (claim("xa-a", 0, Head::EMPTY), note(hash(1), hash(2), "x"));
    let sealed = signer("huyen-b").sign_sealed(Kind::Note, &WireCodec.seal(&claim, &body));
    let posing = Statement { claim, body, sealed };
    assert_eq!(verifier().verify_statement(signed(&posing)), Err(Reason::BadSignature));
}

#[test]
fn proofs_of_other_forms_are_refused() {
    let statement = simple("xa-a", note(hash(1), hash(2), "x"));
    let mut bad = signed(&statement);
    direct(&mut bad).algorithm = 2;
    assert_eq!(verifier().verify_statement(bad), Err(Reason::BadSignature));
    let mut bad = signed(&statement);
    direct(&mut bad).signature.truncate(63);
    assert_eq!(verifier().verify_statement(bad), Err(Reason::BadSignature));
    for proof in [
        None,
        Some(v1::Proof::default()),
        Some(v1::Proof { kind: Some(v1::proof::Kind::Checkpoint(Default::default())) }),
    ] {
        let bad = v1::SignedStatement { proof, ..signed(&statement) };
        assert_eq!(verifier().verify_statement(bad), Err(Reason::BadSignature));
    }
}

/// Plain `verify` accepts this signature for any message: R and the key are the neutral element, s is 0.
#[test]
fn small_order_keys_are_never_taken() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let weak = ed25519_dalek::VerifyingKey::from_bytes(&neutral).unwrap();
    let mut bytes = [0; 64];
    bytes[0] = 1;
    let forged = ed25519_dalek::Signature::from_bytes(&bytes);
    assert!(ed25519_dalek::Verifier::verify(&weak, b"anything", &forged).is_ok(), "the danger is real");
    let mut ring = KeyRing::default();
    assert!(!ring.add(id("xa-a"), "weak", &neutral));
    assert!(ring.is_empty());
    // No point of the curve at all.
    assert!(!ring.add(id("xa-a"), "none", &[2; 32]));
}

/// A key under an id that is taken would speak for whoever had the id first, and for nobody under an id of no shape.
#[test]
fn an_id_names_one_key_for_ever() {
    let (a, b) = (signer("xa-a").key().public(), signer("huyen-b").key().public());
    let mut ring = KeyRing::default();
    assert!(ring.is_empty());
    assert!(ring.add(id("xa-a"), "k", &a) && !ring.is_empty());
    assert!(!ring.add(id("huyen-b"), "k", &b), "the id is taken");
    assert_eq!((ring.get("k").map(|known| known.agency.clone()), ring.len()), (Some(id("xa-a")), 1));
    for no_id in ["", "khóa", "a b", &"k".repeat(65)] {
        assert!(!ring.add(id("huyen-b"), no_id, &b), "{no_id}");
    }
    assert!(ring.add(id("huyen-b"), &"k".repeat(64), &b));
    assert_eq!((ring.len(), verifier().keys().len()), (2, 3));
}

/// What is signed well is still bounded: the verifier of evidence asks the ring before it parses.
#[test]
fn the_largest_body_that_can_be_signed() {
    let (signer, verifier) = (signer("xa-a"), verifier());
    let checked = |bytes: usize| {
        let body = vec![0; bytes];
        let proof = v1::Proof::decode(&signer.sign(Kind::Note, &body)[..]).unwrap();
        verifier.keys().check(type_name(Kind::Note), &body, &proof).cloned()
    };
    assert_eq!(checked(BODY_BYTES), Ok(id("xa-a")));
    assert_eq!(checked(BODY_BYTES + 1), Err(Reason::BadSignature));
    assert_eq!(checked(BODY_BYTES + 2), Err(Reason::BadSignature));
}

/// With a sound key too: whoever has the seed can make R of small order, and plain `verify` takes it. Two verifiers that
/// differ on it would disagree about a trail.
#[test]
fn small_order_signatures_are_refused() {
    let mut public = [0; 32];
    hex::decode_to_slice("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", &mut public)
        .unwrap();
    let mut bytes = [0; 64];
    bytes[0] = 1;
    // s = SHA-512(R, A, PAE("t", "x")) · a mod L, with a of RFC 8032's first test.
    let s = "04a909f8dbcc583ca04a5cc531132fb15d2e3813ee9c3d85bd536befbebe670f";
    hex::decode_to_slice(s, &mut bytes[32..]).unwrap();
    let key = ed25519_dalek::VerifyingKey::from_bytes(&public).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(&bytes);
    assert!(ed25519_dalek::Verifier::verify(&key, &pae("t", b"x"), &signature).is_ok(), "the danger is real");
    let mut ring = KeyRing::default();
    assert!(ring.add(id("xa-a"), "k", &public));
    let signature = bytes.to_vec().into();
    let direct = v1::DirectSignature { algorithm: 1, key_id: "k".into(), signature };
    let proof = v1::Proof { kind: Some(v1::proof::Kind::Direct(direct)) };
    assert_eq!(ring.check("t", b"x", &proof), Err(Reason::BadSignature));
}

/// RFC 8032 section 7.1, test 1: the seed gives the public key of the standard, and signatures do not vary.
#[test]
fn keys_are_those_of_the_standard() {
    let mut seed = [0; 32];
    hex::decode_to_slice("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", &mut seed)
        .unwrap();
    let key = SigningKey::from_seed("rfc", &seed).unwrap();
    assert_eq!(hex::encode(key.public()), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let signer = Signer::new(key);
    assert_eq!(signer.sign(Kind::Note, b"body"), signer.sign(Kind::Note, b"body"));
    let shown = format!("{signer:?}");
    assert!(!shown.contains("9d61") && shown.contains("SigningKey(rfc)"), "{shown}");
}

#[test]
fn a_sid_is_the_hash_of_what_is_signed() {
    use sha2::Digest as _;
    for statement in each_kind() {
        let kind = type_name(statement.body.kind());
        let of_pae: [u8; 32] = sha2::Sha256::digest(pae(kind, &statement.sealed.body)).into();
        assert_eq!(statement.sid().0, of_pae);
        assert_eq!(statement.sid(), sid(kind, &statement.sealed.body));
    }
}

#[test]
fn a_type_of_tomorrow_is_named_as_such() {
    let body = simple("xa-a", note(hash(1), hash(2), "x")).sealed.body.to_vec();
    let kind = "application/vnd.lienthong.note.v2";
    let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
    let signature = ed25519_dalek::Signer::sign(&key, &pae(kind, &body)).to_vec().into();
    let direct = v1::DirectSignature { algorithm: 1, key_id: "xa-a.2024".into(), signature };
    let proof = Some(v1::Proof { kind: Some(v1::proof::Kind::Direct(direct)) });
    let signed = v1::SignedStatement { r#type: kind.into(), body: body.into(), proof };
    assert_eq!(verifier().verify_statement(signed), Err(Reason::UnknownStatementType));
}
