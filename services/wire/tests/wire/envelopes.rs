//! Envelopes and packs: sender, certificate, content, sizes.

use crate::fixture::{hash, id, intake, note, offer, simple, verifier};
use bytes::Bytes;
use lienthong_core::reason::Reason;
use lienthong_core::record::TraceContext;
use lienthong_core::statement::Statement;
use lienthong_proto::v1;
use lienthong_wire::content::{Content, commit, new_salt, open};
use lienthong_wire::envelope::{
    Enclosed, Inbound, Letter, PackBuilder, encode_envelope, encoded_len, open_envelope, open_pack,
};
use lienthong_wire::limits;
use prost::Message;
use std::sync::Arc;

struct Sent {
    statement: Arc<Statement>,
    certificate: Vec<Arc<Statement>>,
    content: Option<Arc<[u8]>>,
    trace: Option<TraceContext>,
}

impl Sent {
    fn offer() -> Self {
        let (commitment, content) = commit("plain/1", b"to khai", &[7; 32]).unwrap();
        let intake = simple("xa-a", intake(Some(commitment.clone())));
        let statement = simple("xa-a", offer(intake.sid(), intake.sid(), 1, "huyen-b", Some(commitment)));
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into();
        let trace = Some(TraceContext { traceparent, tracestate: "a=b".into() });
        Self { statement, certificate: vec![intake], content: Some(content), trace }
    }

    fn bytes(&self) -> Bytes {
        let certificate: Vec<Enclosed<'_>> = self.certificate.iter().map(|s| (&**s).into()).collect();
        let letter = Letter {
            statement: (&*self.statement).into(),
            certificate: &certificate,
            content: self.content.as_deref(),
            trace: self.trace.as_ref(),
        };
        let bytes = encode_envelope(&letter);
        assert_eq!(bytes.len(), encoded_len(&letter));
        assert_eq!(bytes.capacity(), bytes.len(), "one allocation, of the right size");
        bytes.into()
    }

    fn opened_from(&self, from: &str) -> Result<Inbound, Reason> {
        open_envelope(&verifier(), &id(from), self.bytes())
    }

    fn refused(&self) -> Reason {
        self.opened_from("xa-a").map(drop).expect_err("is refused")
    }
}

#[test]
fn an_envelope_arrives_as_it_was_sent() {
    let sent = Sent::offer();
    let inbound = sent.opened_from("xa-a").unwrap();
    assert_eq!(inbound.from, id("xa-a"));
    assert_eq!(inbound.statement, sent.statement);
    assert_eq!(inbound.certificate, sent.certificate);
    assert_eq!(inbound.content, sent.content);
    assert_eq!(inbound.trace, sent.trace);
    // The hand-written encoding is that of the contract.
    let message = v1::Envelope::decode(sent.bytes()).unwrap();
    assert_eq!(message.encode_to_vec(), sent.bytes());
}

#[test]
fn the_sender_is_the_maker() {
    let sent = Sent::offer();
    assert!(sent.opened_from("xa-a").is_ok());
    assert_eq!(sent.opened_from("huyen-b").map(drop), Err(Reason::SenderMismatch), "not even its receiver");
    assert_eq!(sent.opened_from("so-c").map(drop), Err(Reason::SenderMismatch));
}

#[test]
fn content_is_exactly_what_was_committed_to() {
    let mut sent = Sent::offer();
    sent.content = None;
    assert!(sent.opened_from("xa-a").is_ok(), "whether it must be there is the core's matter");
    let good = Sent::offer().content.unwrap();
    for bit in 0..good.len() * 8 {
        let mut bytes = good.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        sent.content = Some(bytes.into());
        assert!(matches!(sent.refused(), Reason::ContentMismatch | Reason::ContentTooLarge), "bit {bit}");
    }
    for (format, data, salt) in [
        ("plain/2", &b"to khai"[..], [7; 32]),
        ("plain/1", b"to khai ", [7; 32]),
        ("plain/1", b"to khai", [8; 32]),
    ] {
        sent.content = Some(commit(format, data, &salt).unwrap().1);
        assert_eq!(sent.refused(), Reason::ContentMismatch);
    }
    for length in [0, 31, 33] {
        let short = v1::Content {
            format: "plain/1".into(),
            salt: vec![7; length].into(),
            data: Bytes::from_static(b"to khai"),
        };
        sent.content = Some(short.encode_to_vec().into());
        assert_eq!(sent.refused(), Reason::ContentMismatch, "salt of {length}");
    }
    // Two fields of data: one reader would take the first, another the last.
    let mut twice = good.to_vec();
    twice.extend_from_slice(
        &v1::Content { data: Bytes::from_static(b"to khai"), ..Default::default() }.encode_to_vec(),
    );
    sent.content = Some(twice.into());
    assert_eq!(sent.refused(), Reason::ContentMismatch);
    // A note commits to nothing.
    sent.statement = simple("xa-a", note(hash(1), hash(2), "x"));
    sent.content = Some(good);
    assert_eq!(sent.refused(), Reason::ContentMismatch);
}

#[test]
fn contents_have_a_largest_size_and_fresh_salts() {
    let largest = vec![1; lienthong_core::limits::CONTENT_BYTES];
    let salt = new_salt().unwrap();
    assert_ne!(salt, new_salt().unwrap());
    let (commitment, bytes) = commit("plain/1", &largest, &salt).unwrap();
    let content = open(Bytes::copy_from_slice(&bytes)).unwrap();
    assert_eq!(content, Content { format: "plain/1".into(), salt, data: largest.clone().into() });
    assert_eq!(content.commitment(), commitment);
    let larger = [&largest[..], &[1]].concat();
    assert_eq!(commit("plain/1", &larger, &salt).map(drop), Err(Reason::ContentTooLarge));
    let message = v1::Content { format: "plain/1".into(), salt: vec![1; 32].into(), data: larger.into() };
    assert_eq!(open(message.encode_to_vec().into()), Err(Reason::ContentTooLarge));
}

/// A message made longer to exactly `length` bytes, by a field that no version knows.
fn padded(message: &[u8], length: usize) -> Vec<u8> {
    let mut out = [message, &[0x7a]].concat();
    let rest = length - out.len();
    let size = [1, 2, 3].into_iter().find(|n| rest - n < 1 << (7 * n)).expect("not that long");
    prost::encoding::encode_varint((rest - size) as u64, &mut out);
    assert_eq!(out.len(), length - (rest - size));
    out.resize(length, 0);
    out
}

#[test]
fn contents_are_judged_up_to_each_limit() {
    for (format, fits) in
        [(0, false), (1, true), (limits::FORMAT_BYTES, true), (limits::FORMAT_BYTES + 1, false)]
    {
        let format = "f".repeat(format);
        let committed = commit(&format, b"x", &[7; 32]).map(drop);
        assert_eq!(committed, if fits { Ok(()) } else { Err(Reason::FieldTooLong) });
        let message = v1::Content { format, salt: vec![7; 32].into(), data: Bytes::from_static(b"x") };
        let opened = open(message.encode_to_vec().into()).map(drop);
        assert_eq!(opened, if fits { Ok(()) } else { Err(Reason::ContentMismatch) });
    }
    let (_, small) = commit("plain/1", b"x", &[7; 32]).unwrap();
    let largest = lienthong_core::limits::CONTENT_BYTES + limits::FORMAT_BYTES + limits::SALT_BYTES + 32;
    let opened = |length| open(padded(&small, length).into()).map(drop);
    assert_eq!(opened(largest), Ok(()));
    assert_eq!(
        (opened(largest + 1), opened(largest + 2)),
        (Err(Reason::ContentTooLarge), Err(Reason::ContentTooLarge))
    );
    let shown = format!("{:?}", open(Bytes::copy_from_slice(&small)).unwrap());
    assert_eq!(shown, "Content(plain/1, 1 bytes)", "nothing of it but its size");
}

#[test]
fn envelopes_are_judged_up_to_each_limit() {
    let sent = Sent::offer();
    let opened = |bytes: Vec<u8>| open_envelope(&verifier(), &id("xa-a"), bytes.into());
    let large = |length| opened(padded(&sent.bytes(), length)).map(drop);
    assert_eq!(large(limits::ENVELOPE_BYTES), Ok(()));
    let too_large = Err(Reason::EnvelopeTooLarge);
    assert_eq!(
        (large(limits::ENVELOPE_BYTES + 1), large(limits::ENVELOPE_BYTES + 2)),
        (too_large, too_large)
    );

    let field = |number: u8, value: Vec<u8>| {
        let mut out = vec![number << 3 | 2];
        prost::encoding::encode_varint(value.len() as u64, &mut out);
        [out, value].concat()
    };
    let note = simple("xa-a", note(hash(1), hash(2), "x"));
    let signed = crate::fixture::signed(&note).encode_to_vec();
    let statement = |length| opened(field(1, padded(&signed, length))).map(drop);
    assert_eq!(statement(limits::SIGNED_BYTES), Ok(()));
    let malformed = Err(Reason::MalformedStatement);
    assert_eq!(
        (statement(limits::SIGNED_BYTES + 1), statement(limits::SIGNED_BYTES + 2)),
        (malformed, malformed)
    );

    let (traceparent, tracestate) = ("p".repeat(55), "s".repeat(256));
    let largest = v1::TraceContext { traceparent: traceparent.clone(), tracestate: tracestate.clone() };
    let largest = largest.encode_to_vec();
    let trace = |trace: Vec<u8>| opened([field(1, signed.clone()), field(4, trace)].concat()).unwrap().trace;
    let kept = Some(TraceContext { traceparent, tracestate });
    assert_eq!(trace(largest.clone()), kept);
    let bound = limits::TRACEPARENT_BYTES + limits::TRACESTATE_BYTES + 8;
    assert_eq!(trace(padded(&largest, bound)), kept);
    assert_eq!((trace(padded(&largest, bound + 1)), trace(padded(&largest, bound + 2))), (None, None));
    let long = v1::TraceContext { traceparent: String::new(), tracestate: "s".repeat(257) };
    assert_eq!(trace(long.encode_to_vec()), None);
}

#[test]
fn certificates_are_verified_and_bounded() {
    let mut sent = Sent::offer();
    let mut forged = (*sent.certificate[0]).clone();
    let mut body = forged.sealed.body.to_vec();
    *body.last_mut().unwrap() ^= 1;
    forged.sealed.body = body.into();
    sent.certificate = vec![Arc::new(forged)];
    assert_eq!(sent.refused(), Reason::BadCertificate);
    sent.certificate = vec![simple("xa-a", note(hash(1), hash(2), "x")); limits::CERTIFICATE_STATEMENTS + 1];
    assert_eq!(sent.refused(), Reason::BadCertificate);
    sent.certificate.truncate(limits::CERTIFICATE_STATEMENTS);
    assert!(sent.opened_from("xa-a").is_ok());
}

#[test]
fn envelopes_that_are_none() {
    let good = Sent::offer().bytes();
    let open = |bytes: Vec<u8>| open_envelope(&verifier(), &id("xa-a"), bytes.into()).map(drop);
    assert_eq!(open(vec![]), Err(Reason::Undecodable));
    assert_eq!(open(good[..good.len() - 1].to_vec()), Err(Reason::Undecodable));
    assert_eq!(open([&good[..], &good[..]].concat()), Err(Reason::Undecodable), "two statements");
    assert_eq!(open(vec![0; limits::ENVELOPE_BYTES + 1]), Err(Reason::EnvelopeTooLarge));
    // A statement above its size, in an envelope below its own.
    let large =
        v1::SignedStatement { r#type: "t".into(), body: vec![0; limits::SIGNED_BYTES].into(), proof: None };
    let large = v1::Envelope { statement: Some(large), ..Default::default() };
    assert_eq!(open(large.encode_to_vec()), Err(Reason::MalformedStatement));
    // A trace decides nothing.
    let mut sent = Sent::offer();
    sent.trace = Some(TraceContext { traceparent: "x".repeat(56), tracestate: String::new() });
    assert_eq!(sent.opened_from("xa-a").unwrap().trace, None);
}

#[test]
fn packs_fill_up_to_their_limits() {
    let mut pack = PackBuilder::new();
    assert!(pack.is_empty());
    let envelopes: Vec<_> = (0..limits::PACK_ENVELOPES).map(|i| vec![i as u8; i]).collect();
    for envelope in &envelopes {
        assert!(pack.push(envelope));
    }
    assert!(!pack.push(b"one more"));
    assert_eq!(pack.len(), limits::PACK_ENVELOPES);
    let bytes = pack.finish();
    assert_eq!(open_pack(bytes.clone()).unwrap(), envelopes);
    let one_more = v1::Pack { envelopes: vec![Bytes::new(); limits::PACK_ENVELOPES + 1] };
    assert_eq!(open_pack(one_more.encode_to_vec().into()), Err(Reason::TooManyItems));

    let mut pack = PackBuilder::new();
    assert!(!pack.push(&vec![0; limits::PACK_BYTES]));
    assert!(pack.push(&vec![0; limits::ENVELOPE_BYTES]));
    assert!(!pack.push(&[0; 16]));
    assert_eq!(open_pack(pack.finish()).unwrap().len(), 1);
    assert_eq!(open_pack(vec![0; limits::PACK_BYTES + 1].into()), Err(Reason::EnvelopeTooLarge));
    for bad in [&b""[..], &[0x0a, 5, 1], &[0xff; 9]] {
        assert_eq!(open_pack(Bytes::copy_from_slice(bad)), Err(Reason::Undecodable));
    }
}
