//! The sizes that bound what is decoded, each checked before anything is allocated for it.

/// Bytes of a statement's body: an offer with every paper item at its limit stays below it.
pub const BODY_BYTES: usize = 64 * 1024;
/// Bytes of a statement's type name.
pub const TYPE_BYTES: usize = 128;
/// Statements under one signature: signing and verifying cost a sixty-fourth each, and a proof stays below 400 bytes.
pub const LEAVES: usize = 64;
/// Bytes of an encoded proof: a direct signature needs about 150, one for [`LEAVES`] statements 400.
pub const PROOF_BYTES: usize = 4 * 1024;
/// Bytes of a statement with its type and proof.
pub const SIGNED_BYTES: usize = BODY_BYTES + TYPE_BYTES + PROOF_BYTES + 64;
/// Statements of one certificate: 256 hops of two, 64 notes and the intake are 577.
pub const CERTIFICATE_STATEMENTS: usize = 1_000;
/// Bytes of one certificate.
pub const CERTIFICATE_BYTES: usize = 1024 * 1024;
/// Bytes of a pack, below the 1 MiB a NATS message may have: 512 KiB of content and a quarter of a MiB of certificate.
pub const PACK_BYTES: usize = 768 * 1024;
/// Envelopes of a pack: what one receipt can answer.
pub const PACK_ENVELOPES: usize = lienthong_core::limits::BATCHED_ANSWERS;
/// Bytes of an envelope: a pack of one, less the pack's framing.
pub const ENVELOPE_BYTES: usize = PACK_BYTES - 8;
/// Bytes of a content format's name, such as `plain/1`.
pub const FORMAT_BYTES: usize = 32;
/// Bytes of a content's salt.
pub const SALT_BYTES: usize = 32;
/// Bytes of a `traceparent` (W3C: exactly 55).
pub const TRACEPARENT_BYTES: usize = 55;
/// Bytes of a `tracestate` (W3C: at least 256 must be carried when anything is).
pub const TRACESTATE_BYTES: usize = 256;
/// Bytes of a key's id.
pub const KEY_ID_BYTES: usize = 64;
/// Bytes of a directory file: some 11,000 agencies, every commune of the country before 2025.
pub const DIRECTORY_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of an evidence file: four million hidden links of other dossiers between the first and the last of this one.
pub const EVIDENCE_BYTES: usize = 192 * 1024 * 1024;
/// Statements an evidence file may show: a full spine and four answers to each hop.
pub const EVIDENCE_SHOWN: usize = 4_000;
