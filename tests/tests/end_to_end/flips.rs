//! Flips every bit of every signed body, every signature and every path to a signed root of an evidence file and checks each forgery.

use lienthong_proto::v1;
use lienthong_wire::directory::DirectoryFile;
use lienthong_wire::evidence::{Position, What, verify};
use prost::Message;
use prost::bytes::Bytes;
use v1::link::Kind::Shown;
use v1::proof::Kind::{Checkpoint, Direct};
use v1::record::Fact::Statement;

/// What was tried.
pub(crate) struct Flips {
    pub(crate) statements: usize,
    pub(crate) bits: usize,
}

/// A statement of the file.
struct Target {
    link: usize,
    shown: v1::ShownRecord,
    record: v1::StatementRecord,
    proof: v1::Proof,
}

impl Target {
    fn of(link: usize, kind: Option<&v1::link::Kind>) -> Option<Self> {
        let Some(Shown(shown)) = kind else { return None };
        let record = v1::Record::decode(shown.payload.clone()).expect("a record");
        let Some(Statement(record)) = record.fact else { return None };
        let proof = shown.proof.clone().expect("a proof");
        Some(Self { link, shown: shown.clone(), record, proof })
    }

    fn bits(&self) -> usize {
        let proof: usize = parts(&mut self.proof.clone()).iter().map(|part| part.len()).sum();
        (self.record.body.len() + proof) * 8
    }

    /// The record with one bit of its signed body or of its proof flipped.
    fn forged(&self, bit: usize) -> v1::ShownRecord {
        let body_bits = self.record.body.len() * 8;
        if bit < body_bits {
            let record = v1::StatementRecord { body: flipped(&self.record.body, bit), ..self.record.clone() };
            let payload = v1::Record { fact: Some(Statement(record)) }.encode_to_vec().into();
            return v1::ShownRecord { payload, ..self.shown.clone() };
        }
        let (mut proof, mut bit) = (self.proof.clone(), bit - body_bits);
        for part in parts(&mut proof) {
            if bit < part.len() * 8 {
                *part = flipped(part, bit);
                break;
            }
            bit -= part.len() * 8;
        }
        v1::ShownRecord { proof: Some(proof), ..self.shown.clone() }
    }
}

/// What of a proof must be as it is, bit by bit.
fn parts(proof: &mut v1::Proof) -> Vec<&mut Bytes> {
    match proof.kind.as_mut().expect("a kind") {
        Direct(direct) => vec![&mut direct.signature],
        Checkpoint(v1::CheckpointProof { root, path, signature, .. }) => {
            let signature = &mut signature.as_mut().expect("a signature").signature;
            path.iter_mut().chain([root, signature]).collect()
        }
    }
}

fn flipped(bytes: &Bytes, bit: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes.into()
}

/// Tries them all. The chain is computed from the forged payloads by the verifier itself, so nothing but the signatures
/// and the signed heads can notice.
///
/// # Panics
/// When one is not found, or elsewhere than where it is.
pub(crate) fn each_bit(file: &[u8], directory: &DirectoryFile) -> Flips {
    let evidence = v1::Evidence::decode(file).expect("an evidence file");
    verify(file.to_vec().into(), Some(directory)).expect("sound as it was exported");
    let links = evidence.links.iter().enumerate();
    let targets: Vec<Target> = links.filter_map(|(n, link)| Target::of(n, link.kind.as_ref())).collect();
    let all: Vec<(usize, usize)> = targets
        .iter()
        .enumerate()
        .flat_map(|(n, target)| (0..target.bits()).map(move |bit| (n, bit)))
        .collect();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (mut evidence, targets, all) = (evidence.clone(), &targets, &all);
            scope.spawn(move || {
                for (n, bit) in all.iter().skip(thread).step_by(threads) {
                    try_one(&mut evidence, &targets[*n], *bit, directory);
                }
            });
        }
    });
    Flips { statements: targets.len(), bits: all.len() }
}

fn try_one(evidence: &mut v1::Evidence, target: &Target, bit: usize, directory: &DirectoryFile) {
    let link = &mut evidence.links[target.link];
    let good = link.kind.replace(Shown(target.forged(bit)));
    let fault = verify(evidence.encode_to_vec().into(), Some(directory)).expect_err("a forgery");
    evidence.links[target.link].kind = good;
    let Position::Link { number, .. } = fault.at else {
        panic!("bit {bit} of link {}: {fault}", target.link)
    };
    assert_eq!(number, target.link, "bit {bit}: {fault}");
    assert!(matches!(fault.what, What::Signature(_) | What::Record(_)), "bit {bit}: {fault}");
}
