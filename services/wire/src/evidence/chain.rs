//! The file's head and links: decoded one at a time, the chain computed anew along the way.

use super::FORMAT;
use super::fault::{Fault, Position, What};
use crate::chain::{link, payload_hash};
use crate::limits::{EVIDENCE_BYTES, SIGNED_BYTES};
use crate::scan::{Fields, Value};
use crate::statement::{agency, digest};
use bytes::Bytes;
use lienthong_core::ids::{AgencyId, Digest, Head, LedgerIndex, TrackId};
use lienthong_proto::v1;
use prost::Message;

/// Bytes of one link: a signed statement and what a record adds to it.
const LINK_BYTES: usize = SIGNED_BYTES + 2_048;

/// The file's head.
pub(super) struct Opened {
    pub(super) agency: AgencyId,
    pub(super) track: TrackId,
    pub(super) directory: String,
    pub(super) first: Head,
    /// Encoded links.
    pub(super) links: Vec<Bytes>,
}

pub(super) fn open(bytes: Bytes) -> Result<Opened, Fault> {
    let fault = |what| Err(Fault::file(what));
    if bytes.len() > EVIDENCE_BYTES {
        return fault(What::TooLarge);
    }
    let mut links = Vec::new();
    let (mut format, mut first_index) = (0, 0);
    let mut texts: [Option<Bytes>; 7] = Default::default();
    let mut fields = Fields::of(&bytes);
    while let Some((number, value)) = fields.next_value().map_err(|_| Fault::file(What::Undecodable))? {
        match (number, value) {
            (1, Value::Varint(n)) => format = n,
            (5, Value::Varint(n)) => first_index = n,
            (7, Value::Bytes(link)) => links.push(bytes.slice_ref(link)),
            (2 | 3 | 4 | 6, Value::Bytes(text)) => texts[number as usize] = Some(bytes.slice_ref(text)),
            _ => return fault(What::Undecodable),
        }
    }
    if format != u64::from(FORMAT) {
        return fault(if format == 0 { What::Undecodable } else { What::Format(format) });
    }
    let field = |number: usize| texts[number].clone().unwrap_or_default();
    let text = |number: usize, name| {
        String::from_utf8(field(number).to_vec()).map_err(|_| Fault::file(What::Field(name)))
    };
    let hash = |number: usize, name| digest(&field(number)).map_err(|_| Fault::file(What::Field(name)));
    Ok(Opened {
        agency: agency(&text(2, "agency")?).map_err(|_| Fault::file(What::Field("agency")))?,
        track: hash(3, "track")?,
        directory: text(4, "directory")?,
        first: Head { size: first_index, hash: hash(6, "first_prev")? },
        links,
    })
}

/// The chain along the links.
pub(super) struct Chain {
    agency: AgencyId,
    first: u64,
    /// The hash before each link, and the one after the last.
    hashes: Vec<Digest>,
}

impl Chain {
    pub(super) fn new(agency: AgencyId, first: Head) -> Self {
        Self { agency, first: first.size, hashes: vec![first.hash] }
    }

    /// Where the next link stands.
    pub(super) fn next(&self) -> Result<(Position, LedgerIndex), Fault> {
        let number = self.hashes.len() - 1;
        let index = self.first.checked_add(number as u64).ok_or(Fault::file(What::Field("first_index")))?;
        Ok((Position::Link { number, index: LedgerIndex(index) }, LedgerIndex(index)))
    }

    /// Takes the next link; gives the record when it is shown.
    pub(super) fn take(&mut self, bytes: Bytes) -> Result<Option<v1::ShownRecord>, Fault> {
        let (at, index) = self.next()?;
        let fault = |what| Fault { at, what };
        if bytes.len() > LINK_BYTES {
            return Err(fault(What::TooLarge));
        }
        let message = v1::Link::decode(bytes).map_err(|_| fault(What::Link))?;
        let (payload, shown) = match message.kind.ok_or_else(|| fault(What::Link))? {
            v1::link::Kind::PayloadHash(hash) => (digest(&hash).map_err(|_| fault(What::Link))?, None),
            v1::link::Kind::Shown(record) => (payload_hash(&record.payload), Some(record)),
        };
        let prev = self.hashes[self.hashes.len() - 1];
        self.hashes.push(link(&self.agency, index, prev, payload));
        Ok(shown)
    }

    /// Whether the head is on this chain; `None` when it lies before the first link.
    pub(super) fn holds(&self, head: Head) -> Option<bool> {
        let offset = head.size.checked_sub(self.first)?;
        let at = usize::try_from(offset).ok().and_then(|at| self.hashes.get(at));
        Some(at == Some(&head.hash))
    }
}
