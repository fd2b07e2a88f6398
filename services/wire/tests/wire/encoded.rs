//! Signed statements as they come, in bytes: however a message is written, it is taken or refused for what it says, and
//! what is kept of its proof is what we would write.

use crate::commits::{commit, proved};
use crate::fixture::{id, signer, verifier};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_wire::keys::KeyRing;
use lienthong_wire::verify::Verifier;
use prost::Message;
use prost::bytes::Bytes;
use std::sync::Arc;
use v1::proof::Kind::Checkpoint;

/// One that knows the root of these, and nothing else.
fn knowing(known: &v1::SignedStatement) -> Verifier {
    let verifier = verifier();
    verifier.verify_statement(known.clone()).expect("the root is known now");
    verifier
}

/// The parts of a signed statement, each with key and length.
fn written(signed: &v1::SignedStatement, proof: &[u8]) -> Vec<u8> {
    let mut bytes = v1::SignedStatement { proof: None, ..signed.clone() }.encode_to_vec();
    prost::encoding::bytes::encode(3, &proof.to_vec(), &mut bytes);
    bytes
}

#[test]
fn each_change_of_a_byte_is_judged_by_what_it_says() {
    let all = proved(&commit("xa-a", 4));
    let (known, good) = (&all[0].1, all[1].1.encode_to_vec());
    let proof = good.len() - all[1].1.proof.as_ref().expect("proved").encoded_len();
    let judged = |bytes: Vec<u8>| {
        let verified = knowing(known).verify_encoded(bytes.clone().into());
        let Ok(message) = v1::SignedStatement::decode(&bytes[..]) else {
            assert_eq!(verified, Err(Reason::MalformedStatement));
            return false;
        };
        assert_eq!(verified, verifier().verify_statement(message.clone()), "{}", hex::encode(&bytes));
        if let (Ok(statement), Some(proof)) = (&verified, message.proof) {
            assert_eq!(statement.sealed.proof[..], proof.encode_to_vec());
        }
        verified.is_ok()
    };
    assert!(judged(good.clone()));
    for at in proof - 3..good.len() {
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            judged(bytes)
        };
        assert!(!changed(&|bytes| bytes[at] ^= 1), "{at}");
        assert!(!changed(&|bytes| bytes[at] ^= 0x80), "{at}");
        assert!(!changed(&|bytes| bytes.truncate(at)), "{at}");
        changed(&|bytes| bytes.insert(at, bytes[at]));
        changed(&|bytes| {
            bytes.remove(at);
        });
    }
}

/// What this version does not know is not kept: the ledger holds one spelling of a proof, and no more than it may.
#[test]
fn unknown_and_repeated_fields_of_a_proof_are_not_kept() {
    let all = proved(&commit("xa-a", 4));
    let (statement, signed) = &all[1];
    let sound = &statement.sealed.proof[..];
    let taken = |proof: &[u8]| knowing(&all[0].1).verify_encoded(written(signed, proof).into());
    let same = |proof: &[u8]| assert_eq!(taken(proof).as_ref(), Ok(statement));
    same(sound);
    same(&[sound, &[0x7a, 3, 1, 2, 3]].concat());
    same(&[&[0x78, 5], sound].concat());
    same(&[&[0x7a, 0xff, 0x1f][..], &[9; 4_095], sound].concat());
    same(&[&[0x0a, 2, 8, 1][..], sound].concat());
    assert_eq!(taken(&[sound, &[0x0a, 2, 8, 1]].concat()), Err(Reason::UnknownKey), "the last choice counts");
    // Of the same choice twice prost makes one, with all steps of both.
    assert_eq!(taken(&[sound, sound].concat()), Err(Reason::BadSignature));
    same(&[&[0x12, 2, 0x10, 99][..], sound].concat());
    let twice = [&written(signed, sound)[..], &[0x1a, 0]].concat();
    assert_eq!(knowing(&all[0].1).verify_encoded(twice.into()).as_ref(), Ok(statement));
    let no_proof = v1::SignedStatement { proof: None, ..signed.clone() }.encode_to_vec();
    assert_eq!(knowing(&all[0].1).verify_encoded(no_proof.into()), Err(Reason::BadSignature));
    let too_long = written(signed, &[&[0x7a, 0x80, 0x80, 0x08][..], &[9; 1 << 17], sound].concat());
    assert_eq!(knowing(&all[0].1).verify_encoded(too_long.into()), Err(Reason::MalformedStatement));
}

/// A root that is known for one key is known for no other, not even when both ids name the same key.
#[test]
fn a_root_is_known_under_its_key_id_alone() {
    let (own, foreign) = (signer("xa-a").key().public(), signer("so-c").key().public());
    let mut ring = KeyRing::default();
    assert!(ring.add(id("xa-a"), "xa-a.2024", &own) && ring.add(id("huyen-b"), "same", &own));
    assert!(ring.add(id("xa-a"), "second", &own) && ring.add(id("xa-a"), "other", &foreign));
    let all = proved(&commit("xa-a", 4));
    let verifier = Verifier::new(Arc::new(ring));
    verifier.verify_statement(all[0].1.clone()).expect("the root is known now");
    let under = |key_id: &str| {
        let mut signed = all[1].1.clone();
        match signed.proof.as_mut().and_then(|proof| proof.kind.as_mut()) {
            Some(Checkpoint(c)) => c.signature.as_mut().expect("signed").key_id = key_id.into(),
            other => panic!("no checkpoint: {other:?}"),
        }
        verifier.verify_encoded(Bytes::from(signed.encode_to_vec())).map(drop)
    };
    assert_eq!(under("same"), Err(Reason::BadSignature), "of another agency");
    assert_eq!(under("other"), Err(Reason::BadSignature), "another key of the agency");
    assert_eq!(under("nobody"), Err(Reason::UnknownKey));
    assert_eq!(under("second"), Ok(()), "its own key under a second id");
}
