//! One signature for the statements of a commit: each is proved by its path to the signed root, and by nothing else.

use crate::fixture::{hash, note, signed, signer, simple, verifier};
use lienthong_core::reason::Reason;
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::Statement;
use lienthong_proto::v1;
use lienthong_wire::limits::{LEAVES, PROOF_BYTES};
use lienthong_wire::statement::{COMMIT_TYPE, commit_body, kind_of, pae};
use prost::Message;
use prost::bytes::Bytes;
use std::sync::Arc;
use v1::proof::Kind::{Checkpoint, Direct};

fn record(origin: Origin, statement: Arc<Statement>) -> Record {
    Record::Statement(StatementRecord { origin, statement, command: None, trace: None, content: None })
}

/// Notes of an agency, as many as told, proved together.
pub(crate) fn commit(agency: &str, count: usize) -> Vec<Record> {
    let unproved = |n: usize| {
        let mut statement = (*simple(agency, note(hash(1), hash(2), &format!("lần {n}")))).clone();
        statement.sealed.proof = Arc::from([]);
        record(Origin::Made, Arc::new(statement))
    };
    let mut records: Vec<Record> = (0..count).map(unproved).collect();
    signer(agency).sign_records(&mut records);
    records
}

pub(crate) fn proved(records: &[Record]) -> Vec<(Arc<Statement>, v1::SignedStatement)> {
    let statements = records.iter().filter_map(|record| match record {
        Record::Statement(record) => Some(record.statement.clone()),
        _ => None,
    });
    statements.map(|s| (s.clone(), signed(&s))).collect()
}

fn checkpoint(signed: &mut v1::SignedStatement) -> &mut v1::CheckpointProof {
    match signed.proof.as_mut().and_then(|proof| proof.kind.as_mut()) {
        Some(Checkpoint(checkpoint)) => checkpoint,
        other => panic!("no checkpoint: {other:?}"),
    }
}

#[test]
fn each_statement_of_a_commit_verifies_alone_and_beside_the_others() {
    for count in [1, 2, 3, 5, 63, LEAVES, LEAVES + 1, 3 * LEAVES - 1] {
        let (records, beside) = (commit("xa-a", count), verifier());
        let mut signatures = std::collections::BTreeSet::new();
        for (statement, mut signed) in proved(&records) {
            assert!(statement.sealed.proof.len() <= 400, "{} bytes", statement.sealed.proof.len());
            assert_eq!(verifier().verify_statement(signed.clone()).unwrap(), statement);
            assert_eq!(beside.verify_statement(signed.clone()).unwrap(), statement);
            signatures.insert(match signed.proof.clone().and_then(|proof| proof.kind) {
                Some(Direct(direct)) => direct.signature,
                _ => checkpoint(&mut signed).signature.clone().unwrap().signature,
            });
        }
        assert_eq!(signatures.len(), count.div_ceil(LEAVES), "{count}");
    }
}

/// What others made keeps its proof, and does not stand under this agency's signature.
#[test]
fn only_what_was_made_is_signed() {
    let others = simple("huyen-b", note(hash(1), hash(2), "của bên kia"));
    let mut records = commit("xa-a", 2);
    records.insert(1, record(Origin::Taken, others.clone()));
    records.insert(2, record(Origin::Learned, others.clone()));
    signer("xa-a").sign_records(&mut records);
    let all = proved(&records);
    assert_eq!((&all[1].0, &all[2].0), (&others, &others));
    assert_eq!(checkpoint(&mut all[0].1.clone()).leaf_count, 2);
    all.iter().for_each(|(s, signed)| assert_eq!(verifier().verify_statement(signed.clone()).unwrap(), *s));
}

/// With the root verified before: what is remembered of it must not let anything else through.
#[test]
fn each_bit_of_the_proof_counts_also_when_the_root_is_known() {
    let all = proved(&commit("xa-a", 7));
    let verifier = verifier();
    verifier.verify_statement(all[0].1.clone()).expect("the root is known now");
    for (_, good) in &all[1..] {
        let refused = |what: &str, change: &dyn Fn(&mut v1::CheckpointProof)| {
            let mut bad = good.clone();
            change(checkpoint(&mut bad));
            assert_eq!(verifier.verify_statement(bad), Err(Reason::BadSignature), "{what}");
        };
        let flip = |bytes: &mut Bytes, bit: usize| {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            *bytes = flipped.into();
        };
        for bit in 0..256 {
            refused("root", &|c| flip(&mut c.root, bit));
            for step in 0..checkpoint(&mut good.clone()).path.len() {
                refused("path", &|c| flip(&mut c.path[step], bit));
            }
        }
        for bit in 0..512 {
            refused("signature", &|c| flip(&mut c.signature.as_mut().unwrap().signature, bit));
        }
        for bit in 0..64 {
            refused("place", &|c| c.leaf_index ^= 1 << bit);
            refused("count", &|c| c.leaf_count ^= 1 << bit);
        }
        refused("a longer path", &|c| c.path.push(Bytes::from_static(&[0; 32])));
        refused("a shorter path", &|c| drop(c.path.pop()));
        refused("a short step", &|c| c.path[0].truncate(31));
        refused("no signature", &|c| c.signature = None);
        refused("another algorithm", &|c| c.signature.as_mut().unwrap().algorithm = 2);
        refused("another agency's key", &|c| c.signature.as_mut().unwrap().key_id = "huyen-b.2024".into());
        let mut bad = good.clone();
        checkpoint(&mut bad).signature.as_mut().unwrap().key_id = "nobody".into();
        assert_eq!(verifier.verify_statement(bad), Err(Reason::UnknownKey));
        let mut bad = good.clone();
        bad.body = [&bad.body[..], &[0xfa, 0x7f, 0x00]].concat().into();
        assert_eq!(verifier.verify_statement(bad), Err(Reason::BadSignature), "another body");
        verifier.verify_statement(good.clone()).expect("the good one passes still");
    }
}

/// A tree that was signed well but is larger than any node makes is refused: a path of any length would have to be walked.
#[test]
fn a_tree_above_the_limit_is_refused() {
    use sha2::{Digest as _, Sha256};
    let statement = simple("xa-a", note(hash(1), hash(2), "x"));
    let leaf: [u8; 32] = Sha256::new().chain_update([0]).chain_update(statement.sid().0).finalize().into();
    let proof = |depth: u32| {
        let path: Vec<Bytes> = (0..depth).map(|n| vec![n as u8; 32].into()).collect();
        let up = |below: [u8; 32], sibling: &Bytes| {
            Sha256::new().chain_update([1]).chain_update(below).chain_update(sibling).finalize().into()
        };
        let root = lienthong_core::ids::Digest(path.iter().fold(leaf, up));
        let leaf_count = 1_u64 << depth;
        let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]);
        let body = commit_body(&root, leaf_count);
        let signature = ed25519_dalek::Signer::sign(&key, &pae(COMMIT_TYPE, &body)).to_vec().into();
        let signature = Some(v1::DirectSignature { algorithm: 1, key_id: "xa-a.2024".into(), signature });
        let root = root.0.to_vec().into();
        v1::Proof {
            kind: Some(Checkpoint(v1::CheckpointProof { root, leaf_index: 0, leaf_count, path, signature })),
        }
    };
    let verified = |depth| {
        let proof = proof(depth);
        assert!(proof.encoded_len() < PROOF_BYTES);
        verifier()
            .verify_statement(v1::SignedStatement { proof: Some(proof), ..signed(&statement) })
            .map(drop)
    };
    assert_eq!(verified(LEAVES.ilog2()), Ok(()));
    assert_eq!(verified(LEAVES.ilog2() + 1), Err(Reason::BadSignature));
}

/// The signature over a root can never be taken for one over a statement.
#[test]
fn no_statement_has_the_type_of_a_commit() {
    assert_eq!(kind_of(COMMIT_TYPE), None);
}
