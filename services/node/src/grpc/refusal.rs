//! From a reason to a gRPC status with `google.rpc` details. The one place where reasons become codes.

use super::texts;
use lienthong_core::reason::Reason;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{
    BadRequest, ErrorDetail, ErrorInfo, FieldViolation, LocalizedMessage, PreconditionFailure,
    PreconditionViolation, RetryInfo, StatusExt,
};

/// The domain in `ErrorInfo`.
pub const DOMAIN: &str = "lienthong";

/// A refusal, and the field it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Path of the field, such as `act.idempotency_key`.
    pub field: Option<&'static str>,
}

impl Refusal {
    /// About one field.
    pub fn field(reason: Reason, field: &'static str) -> Self {
        Self { reason, field: Some(field) }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, field: None }
    }
}

impl From<Reason> for Box<Refusal> {
    fn from(reason: Reason) -> Self {
        Box::new(reason.into())
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        status(&refusal)
    }
}

/// The status of a refusal.
pub fn status(refusal: &Refusal) -> Status {
    let Refusal { reason, field } = refusal;
    let text = texts::of(*reason);
    let mut metadata = std::collections::HashMap::from([("number".to_owned(), reason.number().to_string())]);
    metadata.extend(field.map(|f| ("field".to_owned(), f.to_owned())));
    let mut details = vec![
        ErrorDetail::from(ErrorInfo::new(texts::name(*reason), DOMAIN, metadata)),
        LocalizedMessage::new("vi", text.vi).into(),
        LocalizedMessage::new("en", text.en).into(),
    ];
    let code = code(*reason);
    if let Some(field) = field {
        details.push(BadRequest::new(vec![FieldViolation::new(*field, text.en)]).into());
    }
    if code == Code::FailedPrecondition {
        let violation = PreconditionViolation::new(texts::name(*reason), "dossier", text.en);
        details.push(PreconditionFailure::new(vec![violation]).into());
    }
    if let Some(after) = retry_after(*reason) {
        details.push(RetryInfo::new(Some(after)).into());
    }
    let message = match field {
        Some(field) => format!("{}: {field}: {}", texts::name(*reason), text.en),
        None => format!("{}: {}", texts::name(*reason), text.en),
    };
    Status::with_error_details_vec(code, message, details)
}

/// When it is worth trying again with the same key: at once after a moment's trouble, later where somebody must act first.
pub(super) fn retry_after(reason: Reason) -> Option<Duration> {
    match reason {
        Reason::Overloaded | Reason::ShuttingDown | Reason::StorageFailed | Reason::Recovering => {
            Some(Duration::from_secs(1))
        }
        Reason::StorageFull | Reason::PeerBacklog => Some(Duration::from_secs(30)),
        _ => None,
    }
}

/// The gRPC code of a reason.
pub fn code(reason: Reason) -> Code {
    use Reason as R;
    match reason {
        R::MessageTooLarge
        | R::Overloaded
        | R::CodesExhausted
        | R::EnvelopeTooLarge
        | R::StorageFull
        | R::PeerBacklog => Code::ResourceExhausted,
        R::FieldMissing
        | R::FieldTooLong
        | R::Undecodable
        | R::BadDossierCode
        | R::BadProcedureCode
        | R::BadId
        | R::BadChoice
        | R::ContentTooLarge
        | R::TooManyItems
        | R::BadCursor
        | R::UnknownAgency => Code::InvalidArgument,
        R::AgencyNotHosted | R::DossierNotFound | R::NotInQuarantine => Code::NotFound,
        R::HandOffNotAllowed => Code::PermissionDenied,
        R::CodeInUse | R::IdempotencyConflict => Code::AlreadyExists,
        R::NotCustodian
        | R::LockedByOffer
        | R::AlreadyDecided
        | R::NotOffered
        | R::AlreadyRecalled
        | R::Closed
        | R::NotCompleted
        | R::AlreadyCompleted
        | R::HandOffToSelf
        | R::TooManyHops
        | R::TrailTooLarge
        | R::ContentLost
        | R::TooManyNotes
        | R::AgencyRetired
        | R::Retired => Code::FailedPrecondition,
        R::BadSignature
        | R::UnknownKey
        | R::MalformedStatement
        | R::UnknownStatementType
        | R::SenderMismatch
        | R::WrongReceiver
        | R::BadCertificate
        | R::Fork
        | R::UnknownTransfer
        | R::ContentMismatch
        | R::CancelByStranger
        | R::OwnStatementUnknown
        | R::Fenced
        | R::MakerRetired
        | R::HandlerCrashed => Code::DataLoss,
        R::ShuttingDown | R::StorageFailed | R::Recovering => Code::Unavailable,
    }
}
