//! Says what went wrong in Vietnamese and English, and what to do about it.

mod advice;

use std::fmt;

use lienthong_core::reason::Reason;
use lienthong_node::grpc::{refusal, texts};
use tonic::{Code, Status};
use tonic_types::{ErrorDetail, StatusExt};

/// A node's "no", or its silence, with everything it said; or ours, where a node would say it.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: Code,
    message: String,
    /// Such as `LT302_NOT_CUSTODIAN`.
    reason: Option<String>,
    vietnamese: Option<String>,
    english: Option<String>,
    fields: Vec<(String, String)>,
    /// What to do, in both languages, where the reason alone does not tell.
    advice: Option<(String, String)>,
}

impl Refusal {
    /// What no node is asked for, since it would refuse: why and what to do, each in Vietnamese and English.
    pub(crate) fn here(reason: Reason, why: (String, String), advice: (String, String)) -> Self {
        Self {
            code: refusal::code(reason),
            message: why.1.clone(),
            reason: Some(texts::name(reason)),
            vietnamese: Some(why.0),
            english: Some(why.1),
            fields: Vec::new(),
            advice: Some(advice),
        }
    }

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
            advice: None,
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
        let known = advice::what_to_do(self.reason(), self.code);
        let (vietnamese, english) = self.advice.as_ref().map_or(known, |(vi, en)| (vi.as_str(), en.as_str()));
        write!(f, "Nên làm:   {vietnamese}\nWhat to do: {english}")
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
            None => serde_json::json!({"error": {"en": line(error)}}),
        };
        eprintln!("{value}");
    } else if let Some(refusal) = refusal {
        // What was being done when the node refused, where a context says so.
        if let Some(context) =
            error.chain().map(ToString::to_string).next().filter(|text| *text != refusal.to_string())
        {
            eprintln!("lienthong: {context}");
        }
        eprintln!("{refusal}");
    } else {
        eprintln!("lienthong: {}", line(error));
    }
}

/// An error and its causes on one line. Causes that a text already tells are not told again.
fn line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |line, cause| match line.contains(&cause) {
        true => line,
        false if line.is_empty() => cause,
        false => format!("{line}: {cause}"),
    })
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
    fn causes_are_told_once() {
        let error = anyhow::anyhow!("no such file").context("read a.toml: no such file").context("start");
        assert_eq!(line(&error), "start: read a.toml: no such file");
    }

    #[test]
    fn a_silent_node_is_said_to_be_silent() {
        let refusal = Refusal::from(Status::unavailable("connection refused"));
        assert_eq!(refusal.reason(), None);
        assert!(refusal.to_string().contains("the node cannot be reached"));
    }
}
