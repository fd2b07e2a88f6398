//! Ledger records: the core's facts as payloads. Proofs and bodies lie beside the payload and are not in its hash.

mod decode;
mod encode;
mod kept;

pub use decode::{RecordError, decode_record, verify_record};
pub use encode::{EncodedRecord, encode_record};
pub use kept::KeptStatement;
