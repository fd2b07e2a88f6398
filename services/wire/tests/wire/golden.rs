//! Golden bytes: what version 1 looks like on the wire, in the ledger and in evidence, and that it stays readable.
//!
//! These files are a promise to every ledger that was ever written. A failing comparison means that the encoding changed:
//! undo that. A new version gets new files (`offer.v2.hex`) and a new type name beside the old ones. Files that are
//! missing are written by `GOLDEN_WRITE=1 cargo test -p lienthong-wire golden`, which overwrites none.

use crate::fixture::{directory, each_kind, id, signed, simple, verifier, words};
use crate::journey::journey;
use lienthong_core::statement::Body;
use lienthong_proto::v1;
use lienthong_wire::envelope::{Letter, encode_envelope, open_envelope};
use lienthong_wire::evidence::verify;
use lienthong_wire::record::{EncodedRecord, decode_record, encode_record};
use prost::Message;
use std::fs;
use std::path::PathBuf;

/// Compares with the file; gives the file's bytes.
pub(crate) fn golden(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"));
    if !path.exists() && std::env::var_os("GOLDEN_WRITE").is_some_and(|v| v == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let digits = hex::encode(bytes);
        let lines: Vec<_> = digits.as_bytes().chunks(100).map(|c| std::str::from_utf8(c).unwrap()).collect();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let kept = hex::decode(text.split_whitespace().collect::<String>()).unwrap();
    assert!(
        kept == bytes,
        "{name}: the encoding changed. Old ledgers hold the old bytes: see the head of this file"
    );
    kept
}

#[test]
fn golden_statements() {
    for statement in each_kind() {
        let name = format!("{}.v1", statement.body.kind().name());
        let kept = golden(&name, &signed(&statement).encode_to_vec());
        let old = v1::SignedStatement::decode(&kept[..]).unwrap();
        assert_eq!(verifier().verify_statement(old).unwrap(), statement);
    }
}

#[test]
fn golden_commit() {
    let records = crate::commits::commit("xa-a", 3);
    let (_, last) = crate::commits::proved(&records).pop().unwrap();
    let kept = golden("note.commit.v1", &last.encode_to_vec());
    assert!(verifier().verify_statement(v1::SignedStatement::decode(&kept[..]).unwrap()).is_ok());
}

#[test]
fn golden_words() {
    for (name, word) in words() {
        let statement = simple("xa-a", Body::Recovery(word));
        let kept = golden(&format!("recovery.{name}.v1"), &signed(&statement).encode_to_vec());
        let old = v1::SignedStatement::decode(&kept[..]).unwrap();
        assert_eq!(verifier().verify_statement(old).unwrap(), statement);
    }
}

#[test]
fn golden_envelope() {
    let kinds = each_kind();
    let (intake, offer) = (&*kinds[0], &kinds[2]);
    let content = lienthong_wire::content::commit("plain/1", b"noi dung", &[5; 32]).unwrap().1;
    let trace = lienthong_core::record::TraceContext {
        traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
        tracestate: "lt=1".into(),
    };
    let letter = Letter {
        statement: (&**offer).into(),
        certificate: &[intake.into()],
        content: Some(&content),
        trace: Some(&trace),
    };
    let kept = golden("envelope.v1", &encode_envelope(&letter));
    let inbound = open_envelope(&verifier(), &id("xa-a"), kept.into()).unwrap();
    assert_eq!((&inbound.statement, &*inbound.certificate[0]), (offer, intake));
    assert_eq!((inbound.content, inbound.trace), (Some(content), Some(trace)));
}

#[test]
fn golden_records() {
    let names = ["opened", "quarantined", "snapshot_taken", "content_read", "quarantine_settled"];
    for (name, record) in names.into_iter().zip(crate::records::each_other_kind()) {
        let EncodedRecord { payload, proof, body } = encode_record(&record);
        let kept = golden(&format!("record.{name}.v1"), &payload);
        assert_eq!(decode_record(kept.into(), &proof, body), Ok(record));
    }
    let journey = journey();
    let EncodedRecord { payload, proof, .. } = &journey.b.records[4].0;
    let kept = golden("record.statement.v1", payload);
    assert!(decode_record(kept.into(), proof, None).is_ok());
}

#[test]
fn golden_evidence() {
    let journey = journey();
    let kept = golden("evidence.v1", &journey.a.export(journey.track));
    let verdict = verify(kept.into(), Some(&directory())).unwrap();
    assert_eq!((verdict.custodian_now, verdict.closed, verdict.steps.len()), (id("huyen-b"), true, 8));
}
