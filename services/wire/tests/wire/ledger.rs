//! A ledger small enough for a test: encoded records in a list and the chain over them.

use crate::fixture::{checkpoint, claim, directory, made};
use bytes::Bytes;
use lienthong_core::ids::{Digest, Head, LedgerIndex, Sid, TrackId};
use lienthong_core::record::{Origin, Record, StatementRecord};
use lienthong_core::statement::{Body, Statement};
use lienthong_wire::chain::{link, payload_hash};
use lienthong_wire::evidence::EvidenceBuilder;
use lienthong_wire::record::{EncodedRecord, encode_record};
use std::sync::Arc;

/// One agency's ledger.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) agency: &'static str,
    /// Hidden ones are of other dossiers.
    pub(crate) records: Vec<(EncodedRecord, bool)>,
}

impl Ledger {
    /// Begins with records of other dossiers, so that no evidence starts at 0.
    pub(crate) fn new(agency: &'static str) -> Self {
        let mut ledger = Self { agency, records: vec![] };
        ledger.other();
        ledger.other();
        ledger
    }

    pub(crate) fn head(&self) -> Head {
        self.head_at(self.records.len())
    }

    pub(crate) fn head_at(&self, size: usize) -> Head {
        let chain = |prev: Digest, (i, (record, _)): (usize, &(EncodedRecord, bool))| {
            let agency = crate::fixture::id(self.agency);
            link(&agency, LedgerIndex(i as u64), prev, payload_hash(&record.payload))
        };
        let hash = self.records[..size].iter().enumerate().fold(Digest::ZERO, chain);
        Head { size: size as u64, hash }
    }

    pub(crate) fn make(&mut self, body: Body) -> Arc<Statement> {
        let statement = made(claim(self.agency, self.records.len() as u64, self.head()), body);
        self.keep(Origin::Made, &statement);
        statement
    }

    pub(crate) fn keep(&mut self, origin: Origin, statement: &Arc<Statement>) {
        let record = StatementRecord {
            origin,
            statement: statement.clone(),
            command: None,
            trace: None,
            content: None,
        };
        self.records.push((encode_record(&Record::Statement(record)), true));
    }

    /// A record of another dossier.
    pub(crate) fn other(&mut self) {
        let payload = format!("other {}", self.records.len()).into_bytes();
        self.records.push((EncodedRecord { payload, proof: Arc::from([]), body: None }, false));
    }

    /// Makes the checkpoint and exports everything from record 2 on.
    pub(crate) fn export(mut self, track: Sid) -> Vec<u8> {
        self.make(checkpoint());
        self.file(track)
    }

    pub(crate) fn file(&self, track: TrackId) -> Vec<u8> {
        let agency = crate::fixture::id(self.agency);
        let mut builder = EvidenceBuilder::new(&agency, track, directory().to_toml(), self.head_at(2));
        for (record, shown) in &self.records[2..] {
            if *shown {
                builder.shown(Bytes::copy_from_slice(&record.payload), &record.proof).unwrap();
            } else {
                builder.hidden(payload_hash(&record.payload));
            }
        }
        builder.finish()
    }
}
