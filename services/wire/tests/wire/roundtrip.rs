//! Whatever the core may say goes over the wire and comes back the same, with the same bytes each time.

use crate::fixture::{made, signed, verifier};
use lienthong_core::authority::reclaim::Reclaim;
use lienthong_core::authority::succeed::Succeed;
use lienthong_core::codec::Codec;
use lienthong_core::ids::{AgencyId, Digest, Head, Hop, Incarnation, LedgerIndex, WallMs};
use lienthong_core::limits;
use lienthong_core::record::{CommandRef, Origin, Record, StatementRecord, TraceContext};
use lienthong_core::recovery::{Ask, Estate, Given, HIGHEST_INCARNATION, Known, Left, Word};
use lienthong_core::statement as core;
use lienthong_core::statement::{Body, Channel, Claim, Commitment, HandOffKind, RefusalCause, Resolution};
use lienthong_wire::record::{decode_record, encode_record};
use lienthong_wire::statement::WireCodec;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use proptest::sample::select;
use std::sync::Arc;

fn digest() -> impl Strategy<Value = Digest> + Clone {
    any::<[u8; 32]>().prop_map(Digest)
}

/// Any text of at most `limit` bytes, Vietnamese or not.
fn text(limit: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..=limit.min(40) / 4).prop_map(|chars| chars.into_iter().collect())
}

fn wall() -> impl Strategy<Value = WallMs> {
    any::<i64>().prop_map(WallMs)
}

fn claim() -> impl Strategy<Value = Claim> {
    let officer = (text(limits::OFFICER_BYTES), text(limits::OFFICER_BYTES));
    let officer = option::of(officer.prop_map(|(id, name)| core::Officer { id, name }));
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    (select(&crate::fixture::AGENCIES[..]), numbers, digest(), wall(), officer).prop_map(
        |(agency, (incarnation, index, size, epoch), hash, made_at, officer)| Claim {
            agency: crate::fixture::id(agency),
            incarnation: Incarnation(incarnation),
            index: LedgerIndex(index),
            head: Head { size, hash },
            made_at,
            epoch,
            officer,
        },
    )
}

fn commitment() -> impl Strategy<Value = Option<Commitment>> {
    let one = (text(32), digest(), 0..=limits::CONTENT_BYTES as u64);
    option::of(one.prop_map(|(format, digest, length)| Commitment { format, digest, length }))
}

fn papers() -> impl Strategy<Value = Vec<core::PaperItem>> {
    let one = (text(limits::PAPER_BYTES), any::<u32>());
    vec(one.prop_map(|(name, copies)| core::PaperItem { name, copies }), 0..4)
}

fn channel() -> impl Strategy<Value = Channel> {
    select(vec![Channel::Counter, Channel::Online, Channel::Post])
}

fn intake() -> impl Strategy<Value = Body> {
    let codes = (text(limits::CODE_BYTES), text(limits::PROCEDURE_BYTES), any::<u32>());
    (codes, channel(), commitment(), option::of(wall()), papers(), option::of(digest())).prop_map(
        |((code, procedure, procedure_version), channel, content, due_at, papers, parent)| {
            Body::Intake(core::Intake {
                code,
                procedure,
                procedure_version,
                channel,
                content,
                due_at,
                papers,
                parent,
            })
        },
    )
}

fn offer() -> impl Strategy<Value = Body> {
    use HandOffKind::*;
    let kinds = vec![Forward, Return, Consult, Answer, Supplement, Result, Misrouted, ReHome];
    let to = proptest::collection::vec(select(b"az09-".to_vec()), 1..=40);
    let to = to.prop_map(|bytes| AgencyId::parse(std::str::from_utf8(&bytes).unwrap()).unwrap());
    let place = (digest(), digest(), (1..=limits::HOPS).prop_map(Hop), to, select(kinds));
    let work = (text(limits::PROCEDURE_BYTES), any::<u32>(), text(limits::STEP_BYTES), option::of(wall()));
    (place, work, papers(), commitment(), text(limits::TEXT_BYTES)).prop_map(
        |(
            (track, prev, hop, to, kind),
            (procedure, procedure_version, step, due_at),
            papers,
            content,
            note,
        )| {
            Body::Offer(core::Offer {
                track,
                prev,
                hop,
                to,
                kind,
                procedure,
                procedure_version,
                step,
                due_at,
                papers,
                content,
                note,
            })
        },
    )
}

fn answer() -> impl Strategy<Value = Body> {
    let causes = select(vec![RefusalCause::Officer, RefusalCause::Recalled, RefusalCause::Policy]);
    let hop = (1..=limits::HOPS).prop_map(Hop);
    let received = (digest(), option::of(digest()));
    let received = received.prop_map(|(tid, commitment)| core::ReceivedItem { tid, commitment });
    let ack = (digest(), digest()).prop_map(|(track, sid)| core::AckItem { track, sid });
    (digest(), digest(), hop, causes, text(limits::TEXT_BYTES), vec(received, 0..9), vec(ack, 0..9))
        .prop_flat_map(|(track, tid, hop, cause, text, received, acks)| {
            prop_oneof![
                Just(Body::Accept(core::Accept { track, tid, hop, note: text.clone() })),
                Just(Body::Refuse(core::Refuse { track, tid, hop, cause, reason: text.clone() })),
                Just(Body::Cancel(core::Cancel { track, tid, reason: text })),
                Just(Body::Reclaim(Reclaim { track, tid, hop, act: track })),
                Just(Body::Succeed(Succeed { track, prev: tid, hop, act: tid })),
                Just(Body::Succeed(Succeed { track, prev: tid, hop: Hop(0), act: tid })),
                Just(Body::Received(received)),
                Just(Body::Ack(acks)),
            ]
        })
}

fn custodians() -> impl Strategy<Value = Body> {
    use Resolution::*;
    let resolution = select(vec![Resolved, Denied, Withdrawn, Stopped]);
    (digest(), digest(), resolution, channel(), text(limits::TEXT_BYTES)).prop_flat_map(
        |(track, prev, resolution, channel, text)| {
            prop_oneof![
                Just(Body::Note(core::Note { track, prev, text: text.clone() })),
                Just(Body::Completed(core::Completed { track, prev, resolution, note: text.clone() })),
                Just(Body::Returned(core::Returned { track, prev, channel, note: text.clone() })),
                Just(Body::Checkpoint { purpose: text }),
            ]
        },
    )
}

fn word() -> impl Strategy<Value = Word> {
    let known = (digest(), digest(), any::<bool>());
    let known = known.prop_map(|(track, statements, has_content)| Known { track, statements, has_content });
    let incarnations = (0..=HIGHEST_INCARNATION, 0..=HIGHEST_INCARNATION);
    let numbers = (incarnations, any::<u32>(), 1..9_u32, any::<bool>());
    (numbers, any::<[u8; 16]>(), digest(), vec(known, 0..9), vec(digest(), 0..9)).prop_flat_map(
        |(((inc, held), round, number, flag), nonce, id, tracks, vouched)| {
            let (incarnation, of) = (Incarnation(inc), number + 1);
            let track = flag.then_some(id);
            let ask = Ask { nonce, round, number, of, after: id, tracks };
            let given = Given { nonce, round, number, of, more: !flag, track };
            let items = vouched.iter().map(|sid| core::AckItem { track: id, sid: *sid }).collect();
            prop_oneof![
                Just(Word::Fence { incarnation, nonce }),
                Just(Word::Fenced { fence: id, taken: flag, held: Incarnation(held), recovering: !flag }),
                Just(Word::Stands { fence: id }),
                Just(Word::Ask(ask.clone())),
                Just(Word::Given(Given { nonce, round, number, of, more: flag, track })),
                Just(Word::Estate(Estate { acts: vouched.clone(), ask })),
                Just(Word::Left(Left { given, undecided: flag, moved_on: !flag })),
                Just(Word::Acts { known: vouched.clone(), asks: flag }),
                Just(Word::Seek { agency: crate::fixture::id("so-c"), acts: vouched.clone(), items }),
                Just(Word::Sought { seek: id }),
                Just(Word::Resumed { fence: id, vouched, last: flag }),
                Just(Word::Hello),
                Just(Word::Rollback),
            ]
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![intake(), offer(), answer(), custodians(), word().prop_map(Body::Recovery)]
}

proptest! {
    #[test]
    fn statements(claim in claim(), body in body()) {
        let statement = made(claim.clone(), body.clone());
        let again = WireCodec.seal(&claim, &body);
        prop_assert_eq!((&again.body, again.sid), (&statement.sealed.body, statement.sid()));
        let verified = verifier().verify_statement(signed(&statement)).unwrap();
        prop_assert_eq!(&verified.claim, &claim);
        prop_assert_eq!(&verified.body, &body);
        prop_assert_eq!(verified, statement);
    }

    #[test]
    fn statement_records(
        claim in claim(),
        body in body(),
        origin in select(vec![Origin::Made, Origin::Taken, Origin::Learned, Origin::Returned]),
        key in option::of((text(64), digest())),
        trace in option::of((text(55), text(200))),
        content in option::of(vec(any::<u8>(), 0..50)),
    ) {
        let record = Record::Statement(StatementRecord {
            origin,
            statement: made(claim, body),
            command: key.map(|(key, digest)| CommandRef { key: key.into(), digest }),
            trace: trace.map(|(traceparent, tracestate)| Arc::new(TraceContext { traceparent, tracestate })),
            content: content.map(Arc::from),
        });
        let encoded = encode_record(&record);
        prop_assert_eq!(&encoded, &encode_record(&record));
        let decoded = decode_record(encoded.payload.into(), &encoded.proof, encoded.body);
        prop_assert_eq!(decoded, Ok(record));
    }

    /// Noise is refused or parsed; it never panics.
    #[test]
    fn noise(bytes in vec(any::<u8>(), 0..300)) {
        let bytes = bytes::Bytes::from(bytes);
        let from = crate::fixture::id("xa-a");
        let _ = lienthong_wire::envelope::open_envelope(&verifier(), &from, bytes.clone());
        let _ = lienthong_wire::envelope::open_pack(bytes.clone());
        let _ = lienthong_wire::content::open(bytes.clone());
        let _ = decode_record(bytes.clone(), &bytes, None);
        let _ = lienthong_wire::evidence::verify(bytes, Some(&crate::fixture::directory()));
    }
}
