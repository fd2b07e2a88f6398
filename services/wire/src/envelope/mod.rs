//! Envelopes and packs: what one node sends to another.

mod encode;
mod open;
mod pack;

pub(crate) use encode::trace;
pub use encode::{Enclosed, Letter, encode_envelope, encoded_len};
pub use open::{Inbound, open_envelope};
pub use pack::{PackBuilder, open_pack};
