//! Reading records back, by agency and index.

use super::recent::Recent;
use super::rows;
use lienthong_core::ids::{AgencyId, LedgerIndex};
use lienthong_core::record::{Record, StatementRecord};
use lienthong_store::queues::{Queues, QueuesError};
use lienthong_store::{Body, Position, Reader, StoreError, StoredRecord};
use lienthong_wire::record::{RecordError, decode_record};
use std::sync::Arc;

/// Reads records. Blocks on the disk: not for the loop.
#[derive(Clone, Debug)]
pub struct Records {
    pub(crate) reader: Reader,
    pub(crate) queues: Arc<Queues>,
    pub(crate) recent: Arc<Recent>,
}

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The queues do not know its place: they lag or are broken.
    #[error("the queues do not know the place of record {} of {agency}", index.0)]
    NoPlace {
        /// Whose ledger.
        agency: AgencyId,
        /// Which record.
        index: LedgerIndex,
    },
    /// The queues.
    #[error(transparent)]
    Queues(#[from] QueuesError),
    /// The ledger.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The record is not what it should be.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl Records {
    /// A statement with its content.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn statement(
        &self,
        agency: &AgencyId,
        index: LedgerIndex,
    ) -> Result<Arc<StatementRecord>, ReadError> {
        if let Some(recent) = self.recent.get(agency, index.0) {
            return Ok(recent);
        }
        match self.record(agency, index)? {
            Record::Statement(record) => Ok(Arc::new(record)),
            _ => Err(RecordError::UnknownFact.into()),
        }
    }

    /// Any record.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn record(&self, agency: &AgencyId, index: LedgerIndex) -> Result<Record, ReadError> {
        Ok(decode(self.stored(agency, index)?)?)
    }

    /// A record as it is stored, with its body.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn stored(&self, agency: &AgencyId, index: LedgerIndex) -> Result<StoredRecord, ReadError> {
        Ok(self.reader.read(self.place(agency, index)?)?)
    }

    /// A record as it is stored, without its body.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn meta(&self, agency: &AgencyId, index: LedgerIndex) -> Result<StoredRecord, ReadError> {
        Ok(self.reader.read_meta(self.place(agency, index)?)?)
    }

    /// A statement without its content.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn told(&self, agency: &AgencyId, index: LedgerIndex) -> Result<Arc<StatementRecord>, ReadError> {
        if let Some(recent) = self.recent.get(agency, index.0) {
            return Ok(recent);
        }
        match decode(self.meta(agency, index)?)? {
            Record::Statement(record) => Ok(Arc::new(record)),
            _ => Err(RecordError::UnknownFact.into()),
        }
    }

    pub(super) fn place(&self, agency: &AgencyId, index: LedgerIndex) -> Result<Position, ReadError> {
        if let Some(known) = self.recent.place(agency, index.0) {
            return Ok(known);
        }
        let no_place = || ReadError::NoPlace { agency: agency.clone(), index };
        let (first, run) = rows::run(&self.queues, agency, index.0)?.ok_or_else(no_place)?;
        let place = run.place(first, index.0).ok_or_else(no_place)?;
        self.recent.found(agency, first, run);
        Ok(place)
    }
}

/// A stored record as the core knows it.
///
/// # Errors
/// [`RecordError`] when it is no record this version writes.
pub(crate) fn decode(stored: StoredRecord) -> Result<Record, RecordError> {
    let body = match stored.body {
        Some(Body::Present(bytes)) => Some(Arc::from(&bytes[..])),
        Some(Body::Erased { .. }) | None => None,
    };
    decode_record(stored.payload, &stored.proof, body)
}
