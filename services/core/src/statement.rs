//! Statements as the core sees them: parsed facts beside the sealed bytes that prove them.

use crate::authority::Retire;
use crate::authority::reclaim::Reclaim;
use crate::authority::succeed::Succeed;
use crate::ids::{AgencyId, Digest, Head, Hop, Incarnation, LedgerIndex, Sid, Tid, TrackId, WallMs};
use crate::recovery::Word;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A statement's bytes, kept and forwarded verbatim. The core never looks inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// `SHA-256(PAE(kind, body))`.
    pub sid: Sid,
    /// Encoded body, the bytes that are signed.
    pub body: Arc<[u8]>,
    /// Encoded proof; empty between `batch()` and signing, never afterwards.
    pub proof: Arc<[u8]>,
}

/// A statement with its bytes. One that came from outside is made only by the verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What its maker claims about itself.
    pub claim: Claim,
    /// What it says.
    pub body: Body,
    /// The bytes.
    pub sealed: Sealed,
}

/// Who speaks, from where in its ledger. Signed, but no input of any decision on custody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The maker.
    pub agency: AgencyId,
    /// The maker's incarnation.
    pub incarnation: Incarnation,
    /// Position of the statement in the maker's ledger.
    pub index: LedgerIndex,
    /// The maker's ledger as of its last durable batch.
    pub head: Head,
    /// Wall time at the maker.
    pub made_at: WallMs,
    /// Version of the directory the maker knew.
    pub epoch: u64,
    /// The acting officer; none where the node itself speaks.
    pub officer: Option<Officer>,
}

/// An acting officer: id in the agency's own system and the name shown on the control sheet.
#[derive(Clone, PartialEq, Eq)]
pub struct Officer {
    /// At most [`crate::limits::OFFICER_BYTES`].
    pub id: String,
    /// At most [`crate::limits::OFFICER_BYTES`].
    pub name: String,
}

impl core::fmt::Debug for Officer {
    /// Names of people stay out of logs and panics.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Officer(…)")
    }
}

/// What a content is without showing it: `SHA-256(salt ‖ bytes)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// Such as `plain/1`.
    pub format: String,
    /// The salted hash.
    pub digest: Digest,
    /// Bytes of content, without the salt.
    pub length: u64,
}

/// A paper that travels with the dossier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaperItem {
    /// What it is called on the slip.
    pub name: String,
    /// How many.
    pub copies: u32,
}

/// Channel of intake or return (NĐ 61/2018/NĐ-CP Điều 16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Trực tiếp.
    Counter,
    /// Trực tuyến.
    Online,
    /// Bưu chính công ích.
    Post,
}

/// Why a dossier is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOffKind {
    /// Chuyển xử lý.
    Forward,
    /// Chuyển trả.
    Return,
    /// Lấy ý kiến.
    Consult,
    /// Trả lời ý kiến.
    Answer,
    /// Bổ sung.
    Supplement,
    /// Chuyển kết quả.
    Result,
    /// Chuyển nhầm, không đúng thẩm quyền.
    Misrouted,
    /// Chuyển giao cho cơ quan kế thừa.
    ReHome,
}

/// Why a receiver did not take a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCause {
    /// An officer refused.
    Officer,
    /// The giver recalled before a decision.
    Recalled,
    /// The directory does not allow the hand-off.
    Policy,
    /// The receiver is retired and accepted nothing: its giver took it back. Never in a REFUSE: the RECLAIM says it.
    Reclaimed,
    /// Giver and receiver will not settle it, for the giver is retired: its successor took the track over. Never in a REFUSE: the
    /// SUCCEED says it.
    Succeeded,
}

/// How the work on a dossier ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Đã giải quyết.
    Resolved,
    /// Từ chối giải quyết.
    Denied,
    /// Công dân rút hồ sơ.
    Withdrawn,
    /// Dừng giải quyết.
    Stopped,
}

/// What a statement says (protocol.md 1 and 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Received from the applicant; begins a track.
    Intake(Intake),
    /// The custodian remarks.
    Note(Note),
    /// The custodian offers the track.
    Offer(Offer),
    /// Offers and contents are durable at the receiver.
    Received(Vec<ReceivedItem>),
    /// The receiver signs for the track.
    Accept(Accept),
    /// The receiver does not take it.
    Refuse(Refuse),
    /// The giver asks for it back.
    Cancel(Cancel),
    /// These statements are durable here.
    Ack(Vec<AckItem>),
    /// The work is done.
    Completed(Completed),
    /// The result was returned; the track is closed.
    Returned(Returned),
    /// The maker attests its ledger's head.
    Checkpoint {
        /// Why.
        purpose: String,
    },
    /// A word of a recovery (protocol.md 6).
    Recovery(Word),
    /// An act of the authority: an agency is retired.
    Retire(Retire),
    /// The giver takes back what a retired receiver never accepted.
    Reclaim(Reclaim),
    /// The successor of a retired custodian takes the track over.
    Succeed(Succeed),
}

/// Body of an intake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intake {
    /// Dossier code as issued, kept verbatim.
    pub code: String,
    /// Procedure code, such as `1.001193`.
    pub procedure: String,
    /// Version of the procedure the dossier is pinned to.
    pub procedure_version: u32,
    /// How it came in.
    pub channel: Channel,
    /// What the content is; none when there is no content.
    pub content: Option<Commitment>,
    /// Promised date.
    pub due_at: Option<WallMs>,
    /// Papers handed in.
    pub papers: Vec<PaperItem>,
    /// Main track of a branch.
    pub parent: Option<TrackId>,
}

/// Body of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The track.
    pub track: TrackId,
    /// Predecessor on the spine.
    pub prev: Sid,
    /// The remark.
    pub text: String,
}

/// Body of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The track.
    pub track: TrackId,
    /// Predecessor on the spine.
    pub prev: Sid,
    /// Number of this offer.
    pub hop: Hop,
    /// The receiver.
    pub to: AgencyId,
    /// Why it is handed over.
    pub kind: HandOffKind,
    /// Procedure code.
    pub procedure: String,
    /// Procedure version.
    pub procedure_version: u32,
    /// Step of the procedure.
    pub step: String,
    /// When the receiver should be done.
    pub due_at: Option<WallMs>,
    /// Papers that travel.
    pub papers: Vec<PaperItem>,
    /// What the content beside it is.
    pub content: Option<Commitment>,
    /// Remark on the slip.
    pub note: String,
}

/// One offer a receipt covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedItem {
    /// The transfer.
    pub tid: Tid,
    /// The commitment that was checked; none where the offer has no content.
    pub commitment: Option<Digest>,
}

/// One statement an acknowledgement covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckItem {
    /// The track it is about.
    pub track: TrackId,
    /// The statement.
    pub sid: Sid,
}

/// Body of an acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The track.
    pub track: TrackId,
    /// The transfer, which is also the predecessor on the spine.
    pub tid: Tid,
    /// Number of the offer.
    pub hop: Hop,
    /// Remark.
    pub note: String,
}

/// Body of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refuse {
    /// The track.
    pub track: TrackId,
    /// The transfer, which is also the predecessor on the spine.
    pub tid: Tid,
    /// Number of the offer.
    pub hop: Hop,
    /// What decided.
    pub cause: RefusalCause,
    /// The officer's reason; empty unless an officer refused.
    pub reason: String,
}

/// Body of a recall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// The track.
    pub track: TrackId,
    /// The transfer that is asked back.
    pub tid: Tid,
    /// Why.
    pub reason: String,
}

/// Body of a completion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The track.
    pub track: TrackId,
    /// Predecessor on the spine.
    pub prev: Sid,
    /// How it ended.
    pub resolution: Resolution,
    /// Remark.
    pub note: String,
}

/// Body of a return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The track.
    pub track: TrackId,
    /// Predecessor on the spine.
    pub prev: Sid,
    /// How the result went out.
    pub channel: Channel,
    /// Remark.
    pub note: String,
}

/// Kinds of statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the variants are those of [`Body`]
pub enum Kind {
    Intake,
    Note,
    Offer,
    Received,
    Accept,
    Refuse,
    Cancel,
    Ack,
    Completed,
    Returned,
    Checkpoint,
    Recovery,
    Retire,
    Reclaim,
    Succeed,
}

impl Body {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Body::Intake(_) => Kind::Intake,
            Body::Note(_) => Kind::Note,
            Body::Offer(_) => Kind::Offer,
            Body::Received(_) => Kind::Received,
            Body::Accept(_) => Kind::Accept,
            Body::Refuse(_) => Kind::Refuse,
            Body::Cancel(_) => Kind::Cancel,
            Body::Ack(_) => Kind::Ack,
            Body::Completed(_) => Kind::Completed,
            Body::Returned(_) => Kind::Returned,
            Body::Checkpoint { .. } => Kind::Checkpoint,
            Body::Recovery(_) => Kind::Recovery,
            Body::Retire(_) => Kind::Retire,
            Body::Reclaim(_) => Kind::Reclaim,
            Body::Succeed(_) => Kind::Succeed,
        }
    }

    /// Its predecessor on the spine; none for an intake and for what lies beside the spine.
    pub fn prev(&self) -> Option<Sid> {
        match self {
            Body::Note(b) => Some(b.prev),
            Body::Offer(b) => Some(b.prev),
            Body::Accept(b) => Some(b.tid),
            Body::Refuse(b) => Some(b.tid),
            Body::Reclaim(b) => Some(b.tid),
            Body::Succeed(b) => Some(b.prev),
            Body::Completed(b) => Some(b.prev),
            Body::Returned(b) => Some(b.prev),
            Body::Intake(_)
            | Body::Received(_)
            | Body::Cancel(_)
            | Body::Ack(_)
            | Body::Checkpoint { .. }
            | Body::Recovery(_)
            | Body::Retire(_) => None,
        }
    }
}

impl Statement {
    /// The statement's id.
    pub fn sid(&self) -> Sid {
        self.sealed.sid
    }

    /// The track it is about; none for receipts, acknowledgements, checkpoints, words and acts.
    pub fn track(&self) -> Option<TrackId> {
        match &self.body {
            Body::Intake(_) => Some(self.sealed.sid),
            Body::Note(b) => Some(b.track),
            Body::Offer(b) => Some(b.track),
            Body::Accept(b) => Some(b.track),
            Body::Refuse(b) => Some(b.track),
            Body::Cancel(b) => Some(b.track),
            Body::Reclaim(b) => Some(b.track),
            Body::Succeed(b) => Some(b.track),
            Body::Completed(b) => Some(b.track),
            Body::Returned(b) => Some(b.track),
            Body::Received(_)
            | Body::Ack(_)
            | Body::Checkpoint { .. }
            | Body::Recovery(_)
            | Body::Retire(_) => None,
        }
    }
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 15] = [
        Kind::Intake,
        Kind::Note,
        Kind::Offer,
        Kind::Received,
        Kind::Accept,
        Kind::Refuse,
        Kind::Cancel,
        Kind::Ack,
        Kind::Completed,
        Kind::Returned,
        Kind::Checkpoint,
        Kind::Recovery,
        Kind::Retire,
        Kind::Reclaim,
        Kind::Succeed,
    ];

    /// The word used in type names, metrics and screens.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Intake => "intake",
            Kind::Note => "note",
            Kind::Offer => "offer",
            Kind::Received => "received",
            Kind::Accept => "accept",
            Kind::Refuse => "refuse",
            Kind::Cancel => "cancel",
            Kind::Ack => "ack",
            Kind::Completed => "completed",
            Kind::Returned => "returned",
            Kind::Checkpoint => "checkpoint",
            Kind::Recovery => "recovery",
            Kind::Retire => "retire",
            Kind::Reclaim => "reclaim",
            Kind::Succeed => "succeed",
        }
    }
}
