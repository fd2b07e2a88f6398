//! What every refusal must carry.

use lienthong_core::reason::Reason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt};

/// The gRPC code of a reason, as PROTOCOL.md promises it to integrators.
fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::MessageTooLarge => Code::ResourceExhausted,
        Reason::AgencyNotHosted | Reason::DossierNotFound => Code::NotFound,
        Reason::HandOffNotAllowed => Code::PermissionDenied,
        Reason::CodeInUse | Reason::IdempotencyConflict => Code::AlreadyExists,
        reason if reason.number() < 300 => Code::InvalidArgument,
        reason if reason.number() < 400 => Code::FailedPrecondition,
        reason => panic!("{reason:?} is no answer to a request"),
    }
}

/// `LT302_NOT_CUSTODIAN`.
pub(crate) fn name_of(reason: Reason) -> String {
    let mut name = format!("LT{}", reason.number());
    for c in format!("{reason:?}").chars() {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

/// What is wrong with a refusal that should be for this reason and about this field; nothing when all is well.
pub(crate) fn fault(status: &Status, reason: Reason, field: Option<&str>) -> Option<String> {
    let details = status.get_error_details_vec();
    let mut languages = Vec::new();
    let (mut named, mut about) = (None, Vec::new());
    for detail in &details {
        match detail {
            ErrorDetail::ErrorInfo(info) => named = Some(info),
            ErrorDetail::LocalizedMessage(text) if text.message.len() > 20 => languages.push(&*text.locale),
            ErrorDetail::BadRequest(bad) => about.extend(bad.field_violations.iter().map(|v| &*v.field)),
            _ => {}
        }
    }
    let Some(info) = named else { return Some(format!("no ErrorInfo in {status:?}")) };
    let good = status.code() == code_of(reason)
        && info.domain == "lienthong"
        && info.reason == name_of(reason)
        && info.metadata.get("number") == Some(&reason.number().to_string())
        && languages == ["vi", "en"]
        && field.is_none_or(|field| about == [field])
        && status.message().contains(&name_of(reason));
    (!good).then(|| {
        format!(
            "expected {} ({field:?}), got {:?} {} {about:?} {languages:?}",
            name_of(reason),
            status.code(),
            info.reason
        )
    })
}
