//! Says what went wrong in Vietnamese and English, and what to do about it.

use std::fmt;

use lienthong_core::reason::Reason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt};

/// A node's "no", or its silence, with everything it said.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: Code,
    message: String,
    /// Such as `LT302_NOT_CUSTODIAN`.
    reason: Option<String>,
    vietnamese: Option<String>,
    english: Option<String>,
    fields: Vec<(String, String)>,
}

impl Refusal {
    /// The number in the reason's name; none when the node gave no reason of ours.
    pub(crate) fn reason(&self) -> Option<Reason> {
        let digits = self.reason.as_deref()?.strip_prefix("LT")?.split('_').next()?;
        Reason::from_number(digits.parse().ok()?)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let mut refusal = Self {
            code: status.code(),
            message: status.message().to_owned(),
            reason: None,
            vietnamese: None,
            english: None,
            fields: Vec::new(),
        };
        for detail in status.get_error_details_vec() {
            match detail {
                ErrorDetail::ErrorInfo(info) => refusal.reason = Some(info.reason),
                ErrorDetail::LocalizedMessage(text) if text.locale.starts_with("vi") => {
                    refusal.vietnamese = Some(text.message);
                }
                ErrorDetail::LocalizedMessage(text) => refusal.english = Some(text.message),
                ErrorDetail::BadRequest(bad) => {
                    refusal.fields.extend(bad.field_violations.into_iter().map(|v| (v.field, v.description)));
                }
                _ => {}
            }
        }
        refusal
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let silent = self.code == Code::Unavailable && self.reason.is_none();
        let vietnamese = match &self.vietnamese {
            Some(text) => text.as_str(),
            None if silent => "không liên lạc được với nút",
            None => "nút không thực hiện yêu cầu",
        };
        let english = match &self.english {
            Some(text) => text.as_str(),
            None if silent => "the node cannot be reached",
            None => self.message.as_str(),
        };
        writeln!(f, "Từ chối:   {vietnamese}")?;
        writeln!(f, "Refused:   {english}")?;
        for (field, fault) in &self.fields {
            writeln!(f, "  {field}: {fault}")?;
        }
        let reason = self.reason.as_deref().unwrap_or("-");
        writeln!(f, "Lý do:     {reason} ({:?})", self.code)?;
        write!(f, "Nên làm:   {}", what_to_do(self.reason(), self.code))
    }
}

/// Prints an error of any kind on stderr.
pub(crate) fn print(error: &anyhow::Error, json: bool) {
    let refusal = error.downcast_ref::<Refusal>();
    if json {
        let value = match refusal {
            Some(r) => serde_json::json!({"error": {
                "code": format!("{:?}", r.code), "reason": r.reason, "vi": r.vietnamese,
                "en": r.english.as_deref().unwrap_or(&r.message),
                "fields": r.fields.iter().map(|(f, d)| serde_json::json!({"field": f, "fault": d})).collect::<Vec<_>>(),
            }}),
            None => serde_json::json!({"error": {"en": format!("{error:#}")}}),
        };
        eprintln!("{value}");
    } else if let Some(refusal) = refusal {
        eprintln!("{refusal}");
    } else {
        eprintln!("lienthong: {error:#}");
    }
}

fn what_to_do(reason: Option<Reason>, code: Code) -> &'static str {
    use Reason as R;
    let Some(reason) = reason else {
        return match code {
            Code::Unavailable => {
                "is the node running, and is --node (LIENTHONG_NODE) its address? Repeat with the same --key."
            }
            Code::DeadlineExceeded => {
                "repeat with the same --key: the node answers what it has already done."
            }
            _ => "look at the node's log.",
        };
    };
    match reason {
        R::FieldMissing | R::FieldTooLong | R::Undecodable | R::BadId | R::BadChoice | R::TooManyItems => {
            "correct the field that is named above, and repeat."
        }
        R::MessageTooLarge | R::ContentTooLarge => "send less: content is at most 512 KiB.",
        R::BadDossierCode => {
            "a dossier code is <agency code>-<yymmdd>-<number>, such as H51.40.01-240115-0001."
        }
        R::BadProcedureCode => "take the procedure code from the directory, such as 1.001193.",
        R::BadCursor => "take the cursor or page token from an answer of this agency.",
        R::UnknownAgency => "take the agency's id from the directory.",
        R::AgencyNotHosted => {
            "ask the node that hosts this agency (`lienthong status` lists what a node hosts)."
        }
        R::HandOffNotAllowed => "the directory has no row [[allow]] for this giver, receiver and procedure.",
        R::DossierNotFound => "`lienthong dossier list` shows what this agency knows.",
        R::NotCustodian => "`lienthong dossier show` says who holds it; only the custodian may act.",
        R::LockedByOffer => {
            "wait for the receiver's decision, or ask for it back: `lienthong dossier recall`."
        }
        R::AlreadyDecided | R::NotOffered | R::AlreadyRecalled => {
            "`lienthong dossier trail` shows what was decided, by whom and when."
        }
        R::Closed => "nothing: the result was returned to the applicant.",
        R::NotCompleted => "say first that the work is done: `lienthong dossier complete`.",
        R::AlreadyCompleted => "return the result (`lienthong dossier return`), or hand the dossier on.",
        R::HandOffToSelf => "name another agency with --to.",
        R::TooManyHops | R::TooManyNotes => {
            "this dossier is at its limit; return its result and take in a new one."
        }
        R::CodeInUse => "leave --code away, and the node issues the next code.",
        R::IdempotencyConflict => "use a new --key for a new request; leave it away and one is made.",
        R::CodesExhausted => "the counter of this day is at its end; the next day has a new one.",
        R::Overloaded => "wait a moment, and repeat with the same --key.",
        R::ShuttingDown => "repeat with the same --key when the node is up again.",
        R::StorageFailed => "tell the operator of the node: its disk fails or is full.",
        // 4xx: evidence that does not hold. A clerk cannot mend it.
        evidence if evidence.number() / 100 == 4 => "tell the operator of the node: evidence does not hold.",
        R::WaitExpired => {
            "nothing is lost: the hand-off goes on, and `lienthong dossier show` says how far it is."
        }
        _ => "look at the node's log.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::{ErrorDetail, ErrorInfo, LocalizedMessage};

    #[test]
    fn both_languages_the_number_and_the_next_step_are_said() {
        let details = vec![
            ErrorDetail::ErrorInfo(ErrorInfo::new(
                "LT302_NOT_CUSTODIAN",
                "lienthong",
                [("agency".to_owned(), "a".to_owned())],
            )),
            ErrorDetail::LocalizedMessage(LocalizedMessage::new("vi", "cơ quan này không giữ hồ sơ")),
            ErrorDetail::LocalizedMessage(LocalizedMessage::new("en", "this agency is not the custodian")),
        ];
        let status = Status::with_error_details_vec(Code::FailedPrecondition, "not the custodian", details);
        let refusal = Refusal::from(status);
        assert_eq!(refusal.reason(), Some(Reason::NotCustodian));
        let text = refusal.to_string();
        for part in ["không giữ hồ sơ", "not the custodian", "LT302_NOT_CUSTODIAN", "dossier show"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_silent_node_is_said_to_be_silent() {
        let refusal = Refusal::from(Status::unavailable("connection refused"));
        assert_eq!(refusal.reason(), None);
        assert!(refusal.to_string().contains("the node cannot be reached"));
    }
}
