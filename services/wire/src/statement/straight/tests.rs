use super::*;
use proptest::prelude::{Strategy, any, prop, prop_oneof, proptest};
use proptest::{collection, option};

fn bytes(longest: usize) -> impl Strategy<Value = Bytes> {
    collection::vec(any::<u8>(), 0..=longest).prop_map(Bytes::from)
}

fn direct() -> impl Strategy<Value = v1::DirectSignature> {
    let algorithm = prop_oneof![0..3, any::<i32>()];
    (algorithm, "[a-zê.]{0,9}", bytes(66)).prop_map(|(algorithm, key_id, signature)| v1::DirectSignature {
        algorithm,
        key_id,
        signature,
    })
}

fn checkpoint() -> impl Strategy<Value = v1::CheckpointProof> {
    let step = prop_oneof![8 => collection::vec(any::<u8>(), 32).prop_map(Bytes::from), 1 => bytes(40)];
    let number = || prop_oneof![0..200_u64, any::<u64>()];
    (bytes(33), number(), number(), collection::vec(step, 0..4), option::of(direct())).prop_map(
        |(root, leaf_index, leaf_count, path, signature)| v1::CheckpointProof {
            root,
            leaf_index,
            leaf_count,
            path,
            signature,
        },
    )
}

fn signed() -> impl Strategy<Value = v1::SignedStatement> {
    let kind = option::of(prop_oneof![
        direct().prop_map(v1::proof::Kind::Direct),
        checkpoint().prop_map(v1::proof::Kind::Checkpoint)
    ]);
    ("[a-zê/]{0,9}", bytes(200), option::of(kind.prop_map(|kind| v1::Proof { kind })))
        .prop_map(|(r#type, body, proof)| v1::SignedStatement { r#type, body, proof })
}

/// What is read straight, as a message again.
fn message(signed: &Signed<'_>) -> v1::SignedStatement {
    let copied = Bytes::copy_from_slice;
    let direct = |d: &Direct<'_>| v1::DirectSignature {
        algorithm: d.algorithm,
        key_id: d.key_id.into(),
        signature: copied(d.signature),
    };
    let way = |way: &Way<'_>| match way {
        Way::Direct(one) => v1::proof::Kind::Direct(direct(one)),
        Way::Checkpoint(c) => v1::proof::Kind::Checkpoint(v1::CheckpointProof {
            root: copied(c.root),
            leaf_index: c.leaf_index,
            leaf_count: c.leaf_count,
            path: c.path.map(|path| path.steps().map(|s| copied(s)).collect()).unwrap_or_default(),
            signature: c.signature.as_ref().map(direct),
        }),
    };
    let proof = |proof: &Proof<'_>| v1::Proof { kind: proof.way.as_ref().map(way) };
    v1::SignedStatement {
        r#type: signed.kind.into(),
        body: copied(signed.body),
        proof: signed.proof.as_ref().map(proof),
    }
}

/// The same, but that a path with a step of another length is as good as none.
fn with_sound_path(mut message: v1::SignedStatement) -> v1::SignedStatement {
    if let Some(v1::Proof { kind: Some(v1::proof::Kind::Checkpoint(c)) }) = &mut message.proof
        && c.path.iter().any(|step| step.len() != 32)
    {
        c.path.clear();
    }
    message
}

/// One reading of any bytes: what is read straight is what prost reads, and prost would write it just so.
fn agree(bytes: &[u8]) -> bool {
    let decoded = v1::SignedStatement::decode(bytes);
    let Some(signed) = Signed::read(bytes) else {
        let again = straightened(Bytes::copy_from_slice(bytes));
        assert_eq!(again.is_ok(), decoded.is_ok());
        let Ok((again, decoded)) = again.and_then(|a| Ok((a, decoded.map_err(|_| Reason::Undecodable)?)))
        else {
            return false;
        };
        let signed = Signed::read(&again).expect("what was written again is straight");
        assert_eq!(message(&signed), with_sound_path(decoded));
        return false;
    };
    let decoded = decoded.expect("prost reads it");
    assert_eq!(decoded.encode_to_vec(), bytes);
    assert_eq!(message(&signed), with_sound_path(decoded.clone()));
    let proof = decoded.proof.map(|proof| proof.encode_to_vec());
    assert_eq!(signed.proof.map(|proof| proof.bytes.to_vec()), proof, "what is kept of it");
    true
}

proptest! {
    #[test]
    fn whatever_prost_writes_is_read_straight(message in signed()) {
        assert!(agree(&message.encode_to_vec()));
    }

    /// Fields that are unknown, that stand twice, out of order, are empty, cut, or written with more bytes than needed.
    #[test]
    fn what_is_read_straight_prost_would_write_so(
        message in signed(),
        places in prop::array::uniform3(any::<prop::sample::Index>()),
        byte in prop_oneof![any::<u8>(), prop::sample::select(vec![0, 0x08, 0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x80])],
        change in 0..5,
    ) {
        let mut bytes = message.encode_to_vec();
        if !bytes.is_empty() {
            let [at, from, to] = places.map(|place| place.index(bytes.len()));
            match change {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                3 => bytes[at] ^= 1 << (byte % 8),
                _ => {
                    let part = bytes[from.min(to)..from.max(to)].to_vec();
                    bytes.splice(at..at, part);
                }
            }
            agree(&bytes);
        }
    }
}

#[test]
fn what_is_not_as_we_write_it_is_not_read_straight() {
    let straight = |bytes: &[u8]| agree(bytes);
    // type "t", body "b", proof { direct { algorithm 1, key "k", signature "s" } }
    let good =
        [&[0x0a, 1, b't', 0x12, 1, b'b', 0x1a, 10, 0x0a, 8][..], &[8, 1, 0x12, 1, b'k', 0x1a, 1, b's']]
            .concat();
    assert!(straight(&good));
    assert!(straight(&[]) && straight(&good[..6]) && straight(&[0x1a, 0]), "parts that are not there");
    let otherwise: [(&str, &[u8]); 9] = [
        ("an unknown field", &[0x7a, 1, b'x']),
        ("the type twice", &[0x0a, 1, b't', 0x0a, 1, b'u']),
        ("out of order", &[0x12, 1, b'b', 0x0a, 1, b't']),
        ("an empty type that is written", &[0x0a, 0, 0x12, 1, b'b']),
        ("a length of two bytes", &[0x0a, 0x81, 0, b't']),
        ("both proofs", &[0x1a, 4, 0x0a, 0, 0x12, 0]),
        ("a zero that is written", &[0x1a, 4, 0x0a, 2, 8, 0]),
        ("an algorithm of more than 32 bits", &[0x1a, 8, 0x0a, 6, 8, 0x81, 0x80, 0x80, 0x80, 0x10]),
        ("the proof twice", &[0x1a, 0, 0x1a, 0]),
    ];
    for (what, bytes) in otherwise {
        assert!(!straight(bytes), "{what}");
        assert!(v1::SignedStatement::decode(bytes).is_ok(), "prost reads it: {what}");
    }
    assert!(
        straight(&[0x1a, 13, 0x0a, 11, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
        "-1"
    );
    for (what, bytes) in
        [("no text", &[0x0a, 1, 0xff][..]), ("cut", &good[..17]), ("too long", &[0x0a, 2, b't'])]
    {
        assert!(!straight(bytes) && v1::SignedStatement::decode(bytes).is_err(), "{what}");
    }
}
