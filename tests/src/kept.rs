//! Reading the ledger of a stopped node: what was kept, counted from the disk and not from what the node says.

use std::path::Path;
use std::sync::Arc;

use lienthong_core::ids::Digest;
use lienthong_core::record::{Origin, Record};
use lienthong_core::statement::{Body, Kind};
use lienthong_store::verify::verify_dir;
use lienthong_store::{Body as Stored, StoredRecord};
use lienthong_wire::record::decode_record;

/// One statement in a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whose ledger.
    pub agency: String,
    /// Made there, taken from an envelope, or learned from a certificate.
    pub origin: Origin,
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub sid: Digest,
    /// What it names: the transfers received, the statements acknowledged; else its track.
    pub about: Vec<Digest>,
}

/// All statements below a data folder; the node must be stopped. The whole ledger is verified along the way.
///
/// # Panics
/// When the ledger has a fault.
pub fn read_ledger(data: &Path) -> Vec<Kept> {
    let mut kept = Vec::new();
    let take = |stored: StoredRecord| kept.extend(statement(stored));
    verify_dir(data, |_, _| {}, take).expect("a sound ledger");
    kept
}

fn statement(stored: StoredRecord) -> Option<Kept> {
    let body = match stored.body {
        Some(Stored::Present(bytes)) => Some(Arc::<[u8]>::from(bytes.as_ref())),
        Some(Stored::Erased { .. }) | None => None,
    };
    let record = decode_record(stored.payload, &stored.proof, body).expect("a record that can be read");
    let Record::Statement(record) = record else { return None };
    let statement = &record.statement;
    let about = match &statement.body {
        Body::Received(items) => items.iter().map(|item| item.tid).collect(),
        Body::Ack(items) => items.iter().map(|item| item.sid).collect(),
        _ => statement.track().into_iter().collect(),
    };
    Some(Kept {
        agency: stored.agency.to_string(),
        origin: record.origin,
        kind: statement.body.kind(),
        sid: statement.sid(),
        about,
    })
}
