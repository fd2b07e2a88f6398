//! The numbers that bound a dossier, each with its reason.

/// Hops of one track: far above any lawful path, and it bounds the certificate (protocol.md 1).
pub const HOPS: u32 = 256;
/// Notes of one track: with [`TEXT_BYTES`] they keep the certificate below a quarter of an envelope.
pub const NOTES: u32 = 64;
/// Bytes of a free text (note, reason): a paragraph of Vietnamese.
pub const TEXT_BYTES: usize = 2_000;
/// Bytes of an officer's id or name.
pub const OFFICER_BYTES: usize = 200;
/// Bytes of a step name.
pub const STEP_BYTES: usize = 100;
/// Papers on one slip.
pub const PAPERS: usize = 64;
/// Bytes of a paper's name.
pub const PAPER_BYTES: usize = 300;
/// Bytes of a dossier code: an agency code of at most 35 characters, a date, a number.
pub const CODE_BYTES: usize = 64;
/// Bytes of a procedure code with its issuing authority.
pub const PROCEDURE_BYTES: usize = 64;
/// Bytes of an idempotency key.
pub const KEY_BYTES: usize = 64;
/// Copies of one track that wait for what comes before them: no lawful path has more on their way at once.
pub const FLOATING: usize = 64;
/// Content of a dossier: form data and small papers; larger files come by reference.
pub const CONTENT_BYTES: usize = 512 * 1024;
/// Statements one RECEIVED or ACK covers: keeps its body below 20 KiB.
pub const BATCHED_ANSWERS: usize = 256;
/// Envelopes kept in quarantine for each peer: enough to see a pattern, too few to fill a disk.
pub const QUARANTINED_PER_PEER: usize = 256;
/// Room for a proof and a type name beside a body: a signature shared by 64 statements takes up to 430 bytes.
pub const PROOF_ROOM: usize = 480;
/// Room for the acts beside a RECLAIM in a certificate: as many as one agency may have.
pub const ACTS_ROOM: usize = crate::authority::ACTS_OF_ONE * 1_024;
/// Content and certificate of an offer together. An envelope may have 768 KiB; the rest is for the OFFER itself. With
/// the largest content this leaves room for about a hundred ordinary hops.
pub const OFFER_BYTES: usize = 704 * 1024;
