//! Ledger records other than statements, and what replay refuses.

use crate::fixture::{directory, each_kind, hash, id, note, simple};
use bytes::Bytes;
use lienthong_core::ids::{Incarnation, LedgerIndex, WallMs};
use lienthong_core::limits::KEY_BYTES;
use lienthong_core::reason::Reason;
use lienthong_core::record::{
    CommandRef, Origin, QuarantineSettled, Quarantined, Record, Settling, StatementRecord, TraceContext,
};
use lienthong_core::statement::Officer;
use lienthong_proto::v1;
use lienthong_wire::envelope::Enclosed;
use lienthong_wire::keys::KeyRing;
use lienthong_wire::limits::{BODY_BYTES, PROOF_BYTES};
use lienthong_wire::record::{KeptStatement, RecordError, decode_record, encode_record, verify_record};
use prost::Message;
use std::sync::Arc;

pub(crate) fn each_other_kind() -> Vec<Record> {
    let (agency, at) = (id("xa-a"), WallMs(1_705_276_800_000));
    let officer = Officer { id: "cb-02".into(), name: "Trần Văn Sông".into() };
    vec![
        Record::Opened { agency: agency.clone(), incarnation: Incarnation(1), at },
        Record::Quarantined(Quarantined {
            from: agency,
            reason: Reason::BadSignature,
            sha256: hash(3),
            length: 4,
            at,
            bytes: Some(Arc::from(&b"junk"[..])),
        }),
        Record::SnapshotTaken { sha256: hash(4), at },
        Record::ContentRead {
            track: hash(1),
            officer: officer.clone(),
            purpose: "Thẩm định hồ sơ".into(),
            at,
        },
        Record::QuarantineSettled(QuarantineSettled {
            index: LedgerIndex(7),
            settling: Settling::Discarded,
            officer,
            why: "Gửi nhầm".into(),
            command: CommandRef { key: "bo-7".into(), digest: hash(6) },
            at,
        }),
    ]
}

#[test]
fn records_go_both_ways() {
    for record in each_other_kind() {
        let encoded = encode_record(&record);
        let decoded = decode_record(encoded.payload.into(), &encoded.proof, encoded.body);
        assert_eq!(decoded, Ok(record));
    }
}

fn of_each_statement() -> impl Iterator<Item = StatementRecord> {
    let command = CommandRef { key: "bo-7".into(), digest: hash(6) };
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned();
    let trace = Arc::new(TraceContext { traceparent, tracestate: "lt=1".into() });
    each_kind().into_iter().zip([true, false].into_iter().cycle()).map(move |(statement, more)| {
        StatementRecord {
            origin: if more { Origin::Made } else { Origin::Learned },
            statement,
            command: more.then(|| command.clone()),
            trace: more.then(|| trace.clone()),
            content: more.then(|| Arc::from(&b"content"[..])),
        }
    })
}

#[test]
fn what_is_found_to_be_sent_is_what_the_record_says() {
    for record in of_each_statement() {
        let encoded = encode_record(&Record::Statement(record.clone()));
        let kept = KeptStatement::find(encoded.payload.into(), Bytes::from_owner(encoded.proof)).unwrap();
        assert_eq!(kept.enclosed(), Enclosed::from(&*record.statement));
        assert_eq!(kept.has_content(), record.content.is_some());
        assert_eq!(kept.trace().unwrap().as_ref(), record.trace.as_deref());
    }
}

#[test]
fn nothing_is_found_in_what_is_no_statement() {
    let find = |payload: Vec<u8>| KeptStatement::find(payload.into(), Bytes::new());
    for record in each_other_kind() {
        assert_eq!(find(encode_record(&record).payload), Err(RecordError::UnknownFact));
    }
    let statement = |r#type: &str, body: Vec<u8>| {
        let of = v1::StatementRecord { r#type: r#type.into(), body: body.into(), ..Default::default() };
        v1::Record { fact: Some(v1::record::Fact::Statement(of)) }.encode_to_vec()
    };
    let wrong = |reason| Err(RecordError::Statement(reason));
    let note = "application/vnd.lienthong.note.v1";
    assert_eq!(find(statement("note", Vec::new())), wrong(Reason::UnknownStatementType));
    assert_eq!(find(statement(note, vec![0; BODY_BYTES + 1])), wrong(Reason::MalformedStatement));
    assert!(find(statement(note, vec![0; BODY_BYTES])).is_ok());
    let long = Bytes::from(vec![0; PROOF_BYTES + 1]);
    assert_eq!(
        KeptStatement::find(statement(note, Vec::new()).into(), long),
        Err(RecordError::Field("proof"))
    );
    // Cut anywhere: whoever reads all of it finds nothing either, or the same.
    for record in of_each_statement() {
        let encoded = encode_record(&Record::Statement(record));
        let (whole, proof) = (Bytes::from(encoded.payload), encoded.proof);
        for end in 0..whole.len() {
            let cut = whole.slice(..end);
            let found = KeptStatement::find(cut.clone(), Bytes::from_owner(proof.clone()));
            assert!(found.is_err(), "{end}");
            assert!(decode_record(cut, &proof, None).is_err(), "{end}");
        }
    }
}

#[test]
fn proofs_and_bodies_are_not_in_the_payload() {
    let statement = simple("xa-a", note(hash(1), hash(2), "x"));
    let mut record = StatementRecord {
        origin: Origin::Made,
        statement,
        command: None,
        trace: None,
        content: Some(Arc::from(&b"content"[..])),
    };
    let with = encode_record(&Record::Statement(record.clone()));
    assert_eq!(with.body.as_deref(), Some(&b"content"[..]));
    let mut unsigned = (*record.statement).clone();
    unsigned.sealed.proof = Arc::from([]);
    record.statement = Arc::new(unsigned);
    record.content = Some(Arc::from(&b"other"[..]));
    assert_eq!(encode_record(&Record::Statement(record)).payload, with.payload);
    // Erased: the record is still read.
    let Ok(Record::Statement(erased)) = decode_record(with.payload.into(), &with.proof, None) else {
        panic!()
    };
    assert_eq!(erased.content, None);
}

#[test]
fn signatures_of_records_can_be_verified_later() {
    let keys = KeyRing::of(&directory());
    let statement = simple("xa-a", note(hash(1), hash(2), "x"));
    let record = |proof: Arc<[u8]>| {
        let mut statement = (*statement).clone();
        statement.sealed.proof = proof;
        let statement = Arc::new(statement);
        Record::Statement(StatementRecord {
            origin: Origin::Made,
            statement,
            command: None,
            trace: None,
            content: None,
        })
    };
    assert_eq!(verify_record(&keys, &record(statement.sealed.proof.clone())), Ok(()));
    assert_eq!(verify_record(&keys, &record(Arc::from([]))), Err(Reason::BadSignature));
    let other = simple("xa-a", note(hash(1), hash(2), "y")).sealed.proof.clone();
    assert_eq!(verify_record(&keys, &record(other)), Err(Reason::BadSignature));
    assert_eq!(verify_record(&keys, &each_other_kind()[0]), Ok(()));
}

#[test]
fn what_cannot_be_read_is_named() {
    let check = |fact: Option<v1::record::Fact>| {
        decode_record(v1::Record { fact }.encode_to_vec().into(), &[], None).expect_err("is refused")
    };
    assert_eq!(decode_record(vec![0xff; 5].into(), &[], None), Err(RecordError::Undecodable));
    assert_eq!(check(None), RecordError::UnknownFact);
    let opened = v1::Opened { agency: "?".into(), ..Default::default() };
    assert_eq!(check(Some(v1::record::Fact::Opened(opened))), RecordError::Field("agency"));
    let kept = v1::Quarantined { from: "a".into(), reason: 999, ..Default::default() };
    assert_eq!(check(Some(v1::record::Fact::Quarantined(kept))), RecordError::Field("reason"));
    let mut statement = v1::StatementRecord { origin: 1, r#type: "x".into(), ..Default::default() };
    let unknown = RecordError::Statement(Reason::UnknownStatementType);
    assert_eq!(check(Some(v1::record::Fact::Statement(statement.clone()))), unknown);
    // A sound note with an unknown field of 64 KiB behind it.
    let mut body = simple("xa-a", note(hash(1), hash(2), "x")).sealed.body.to_vec();
    body.extend_from_slice(&[0xfa, 0x7f, 0x80, 0x80, 0x04]);
    body.resize(body.len() + 64 * 1024, 0);
    let body = body.into();
    let note = lienthong_wire::statement::type_name(lienthong_core::statement::Kind::Note);
    let large = v1::StatementRecord { body, r#type: note.into(), ..statement.clone() };
    let malformed = RecordError::Statement(Reason::MalformedStatement);
    assert_eq!(check(Some(v1::record::Fact::Statement(large))), malformed);
    // Proofs and keys up to their limits, and above them.
    let sound = simple("xa-a", crate::fixture::note(hash(1), hash(2), "x")).sealed.body.to_vec();
    let with = |proof: usize, key: usize| {
        let command = Some(v1::CommandRef { key: "k".repeat(key), digest: hash(1).0.to_vec().into() });
        let (kind, body) = (note.into(), sound.clone().into());
        let record = v1::StatementRecord { body, r#type: kind, command, ..statement.clone() };
        let payload = v1::Record { fact: Some(v1::record::Fact::Statement(record)) }.encode_to_vec();
        decode_record(payload.into(), &vec![0; proof], None).map(drop)
    };
    assert_eq!(with(PROOF_BYTES, KEY_BYTES), Ok(()));
    for above in 1..=2 {
        assert_eq!(with(PROOF_BYTES + above, 1), Err(RecordError::Field("proof")));
        assert_eq!(with(1, KEY_BYTES + above), Err(RecordError::Field("command")));
    }
    statement.origin = 0;
    assert_eq!(check(Some(v1::record::Fact::Statement(statement))), RecordError::Field("origin"));
}
