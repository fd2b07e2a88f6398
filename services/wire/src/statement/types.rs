//! Type names, the pre-authentication encoding of DSSE, and the statement's id.

use lienthong_core::ids::{Digest, Sid};
use lienthong_core::statement::Kind;
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "application/vnd.lienthong.";
const SUFFIX: &str = ".v1";

/// The type that is signed with a body: `application/vnd.lienthong.<kind>.v1`.
pub fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Intake => "application/vnd.lienthong.intake.v1",
        Kind::Note => "application/vnd.lienthong.note.v1",
        Kind::Offer => "application/vnd.lienthong.offer.v1",
        Kind::Received => "application/vnd.lienthong.received.v1",
        Kind::Accept => "application/vnd.lienthong.accept.v1",
        Kind::Refuse => "application/vnd.lienthong.refuse.v1",
        Kind::Cancel => "application/vnd.lienthong.cancel.v1",
        Kind::Ack => "application/vnd.lienthong.ack.v1",
        Kind::Completed => "application/vnd.lienthong.completed.v1",
        Kind::Returned => "application/vnd.lienthong.returned.v1",
        Kind::Checkpoint => "application/vnd.lienthong.checkpoint.v1",
        Kind::Recovery => "application/vnd.lienthong.recovery.v1",
        Kind::Retire => "application/vnd.lienthong.retire.v1",
        Kind::Reclaim => "application/vnd.lienthong.reclaim.v1",
        Kind::Succeed => "application/vnd.lienthong.succeed.v1",
    }
}

/// The kind of a type name; `None` for any other kind, version or spelling.
pub fn kind_of(type_name: &str) -> Option<Kind> {
    let name = type_name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    Kind::ALL.into_iter().find(|kind| kind.name() == name)
}

/// `DSSEv1 <len type> <type> <len body> <body>`: what a signature covers.
pub fn pae(type_name: &str, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD_BYTES + type_name.len() + body.len());
    pae_parts(type_name, body, |part| out.extend_from_slice(part));
    out
}

/// The type that is signed for several statements at once; no statement has it.
pub const COMMIT_TYPE: &str = "application/vnd.lienthong.commit.v1";

/// The body that is signed for several statements at once: the root of the tree over their sids and their number,
/// big-endian.
pub fn commit_body(root: &Digest, leaf_count: u64) -> [u8; 40] {
    let mut body = [0; 40];
    body[..32].copy_from_slice(&root.0);
    body[32..].copy_from_slice(&leaf_count.to_be_bytes());
    body
}

/// `SHA-256(PAE(type, body))`: the statement's id.
pub fn sid(type_name: &str, body: &[u8]) -> Sid {
    let mut hash = Sha256::new();
    pae_parts(type_name, body, |part| hash.update(part));
    Digest(hash.finalize().into())
}

/// What the head has beside the type: `DSSEv1`, two lengths and four spaces.
const HEAD_BYTES: usize = 6 + 20 + 20 + 4;

fn pae_parts(type_name: &str, body: &[u8], mut put: impl FnMut(&[u8])) {
    put(b"DSSEv1 ");
    decimal(type_name.len(), &mut put);
    put(b" ");
    put(type_name.as_bytes());
    put(b" ");
    decimal(body.len(), &mut put);
    put(b" ");
    put(body);
}

/// The digits of a length, without a text to be allocated for them: ids are made of all that comes.
fn decimal(mut number: usize, put: &mut impl FnMut(&[u8])) {
    let (mut digits, mut first) = ([0; 20], 20);
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    put(&digits[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_dsse() {
        // The example of the DSSE specification, protocol.md of secure-systems-lab/dsse.
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        for bytes in [0, 1, 9, 10, 99, 100, 65_536, 1_234_567] {
            let (kind, body) = ("t".repeat(bytes % 1_000), vec![b'b'; bytes]);
            let head = format!("DSSEv1 {} {kind} {bytes} ", kind.len());
            let whole = [head.as_bytes(), &body].concat();
            assert_eq!(pae(&kind, &body), whole);
            assert_eq!(sid(&kind, &body), Digest(Sha256::digest(whole).into()));
        }
    }

    #[test]
    fn names_go_both_ways() {
        for kind in Kind::ALL {
            assert_eq!(type_name(kind), format!("{PREFIX}{}{SUFFIX}", kind.name()));
            assert_eq!(kind_of(type_name(kind)), Some(kind));
        }
        for bad in [
            "",
            "application/vnd.lienthong..v1",
            "application/vnd.lienthong.offer.v2",
            "Application/vnd.lienthong.offer.v1",
        ] {
            assert_eq!(kind_of(bad), None);
        }
    }
}
