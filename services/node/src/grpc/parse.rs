//! Requests are measured and parsed here, and trusted inside.

use super::refusal::Refusal;
use crate::engine::Level;
use lienthong_core::code::{DossierCode, is_procedure};
use lienthong_core::ids::{AgencyId, Digest, TrackId, WallMs};
use lienthong_core::limits;
use lienthong_core::reason::Reason;
use lienthong_core::record::CommandRef;
use lienthong_core::statement::{Channel, HandOffKind, Officer, PaperItem, Resolution};
use lienthong_proto::v1;
use lienthong_wire::chain;
use prost::Message;

pub(crate) type Parsed<T> = Result<T, Refusal>;

/// The acting side of a changing call.
pub(crate) struct Acting {
    pub(crate) agency: AgencyId,
    pub(crate) officer: Officer,
    key: String,
}

impl Acting {
    pub(crate) fn parse(act: Option<&v1::Act>) -> Parsed<Self> {
        let act = act.ok_or(Refusal::field(Reason::FieldMissing, "act"))?;
        let agency = agency(&act.agency, "act.agency")?;
        let key = act.idempotency_key.clone();
        if key.is_empty() {
            return Err(Refusal::field(Reason::FieldMissing, "act.idempotency_key"));
        }
        if key.len() > limits::KEY_BYTES {
            return Err(Refusal::field(Reason::FieldTooLong, "act.idempotency_key"));
        }
        if !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:-".contains(&b)) {
            return Err(Refusal::field(Reason::BadId, "act.idempotency_key"));
        }
        Ok(Self { agency, officer: officer(act.officer.as_ref(), &ACTING)?, key })
    }

    /// The key with the digest of what is asked: the method and the request, whose key and waiting were taken out.
    pub(crate) fn call(&self, method: &str, request: &impl Message) -> CommandRef {
        let mut bytes = method.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend(request.encode_to_vec());
        CommandRef { key: self.key.as_str().into(), digest: chain::payload_hash(&bytes) }
    }
}

/// Where an officer stands in a request: itself, its id, its name.
type OfficerFields = [&'static str; 3];
const ACTING: OfficerFields = ["act.officer", "act.officer.id", "act.officer.name"];
/// The officer of a request that changes no dossier.
pub(crate) const READING: OfficerFields = ["officer", "officer.id", "officer.name"];

pub(crate) fn officer(officer: Option<&v1::Officer>, [whole, id, name]: &OfficerFields) -> Parsed<Officer> {
    let officer = officer.ok_or(Refusal::field(Reason::FieldMissing, whole))?;
    if officer.id.trim().is_empty() {
        return Err(Refusal::field(Reason::FieldMissing, id));
    }
    Ok(Officer {
        id: within(officer.id.clone(), limits::OFFICER_BYTES, id)?,
        name: within(officer.name.clone(), limits::OFFICER_BYTES, name)?,
    })
}

pub(crate) fn agency(text: &str, field: &'static str) -> Parsed<AgencyId> {
    if text.is_empty() {
        return Err(Refusal::field(Reason::FieldMissing, field));
    }
    AgencyId::parse(text).ok_or(Refusal::field(Reason::BadId, field))
}

/// A text within a limit of bytes.
pub(crate) fn within(text: String, limit: usize, field: &'static str) -> Parsed<String> {
    if text.len() > limit { Err(Refusal::field(Reason::FieldTooLong, field)) } else { Ok(text) }
}

/// A free text that may not be empty.
pub(crate) fn words(text: String, field: &'static str) -> Parsed<String> {
    if text.trim().is_empty() {
        return Err(Refusal::field(Reason::FieldMissing, field));
    }
    within(text, limits::TEXT_BYTES, field)
}

/// A dossier: by id, or by a code to be looked up.
#[derive(Clone, Debug)]
pub(crate) enum DossierRef {
    Id(TrackId),
    Code(String),
}

pub(crate) fn dossier(reference: Option<v1::DossierRef>) -> Parsed<DossierRef> {
    match reference.and_then(|r| r.by) {
        None => Err(Refusal::field(Reason::FieldMissing, "dossier")),
        Some(v1::dossier_ref::By::Id(id)) => digest(&id, "dossier.id").map(DossierRef::Id),
        Some(v1::dossier_ref::By::Code(code)) => {
            if DossierCode::parse(&code).is_none() {
                return Err(Refusal::field(Reason::BadDossierCode, "dossier.code"));
            }
            Ok(DossierRef::Code(code))
        }
    }
}

/// A dossier code given with an intake; `None` when the node is to issue one.
pub(crate) fn code(text: String) -> Parsed<Option<String>> {
    match text.is_empty() {
        true => Ok(None),
        false if DossierCode::parse(&text).is_some() => Ok(Some(text)),
        false => Err(Refusal::field(Reason::BadDossierCode, "dossier_code")),
    }
}

/// A procedure code that is not empty.
pub(crate) fn procedure(text: String) -> Parsed<String> {
    if is_procedure(&text) {
        Ok(text)
    } else {
        Err(Refusal::field(Reason::BadProcedureCode, "procedure_code"))
    }
}

pub(crate) fn digest(text: &str, field: &'static str) -> Parsed<Digest> {
    Digest::parse_hex(text).ok_or(Refusal::field(Reason::BadId, field))
}

pub(crate) fn papers(items: Vec<v1::PaperItem>) -> Parsed<Vec<PaperItem>> {
    if items.len() > limits::PAPERS {
        return Err(Refusal::field(Reason::TooManyItems, "paper_items"));
    }
    let paper = |item: v1::PaperItem| {
        if item.name.trim().is_empty() {
            return Err(Refusal::field(Reason::FieldMissing, "paper_items.name"));
        }
        let name = within(item.name, limits::PAPER_BYTES, "paper_items.name")?;
        Ok(PaperItem { name, copies: item.copies })
    };
    items.into_iter().map(paper).collect()
}

pub(crate) fn due(at: Option<i64>) -> Option<WallMs> {
    at.map(WallMs)
}

pub(crate) fn channel(number: i32) -> Parsed<Channel> {
    match v1::Channel::try_from(number) {
        Ok(v1::Channel::Counter) => Ok(Channel::Counter),
        Ok(v1::Channel::Online) => Ok(Channel::Online),
        Ok(v1::Channel::Post) => Ok(Channel::Post),
        Ok(v1::Channel::Unspecified) => Err(Refusal::field(Reason::FieldMissing, "channel")),
        Err(_) => Err(Refusal::field(Reason::BadChoice, "channel")),
    }
}

pub(crate) fn hand_off_kind(number: i32) -> Parsed<HandOffKind> {
    use v1::HandOffKind as K;
    match K::try_from(number) {
        Ok(K::Forward) => Ok(HandOffKind::Forward),
        Ok(K::Return) => Ok(HandOffKind::Return),
        Ok(K::Consult) => Ok(HandOffKind::Consult),
        Ok(K::Answer) => Ok(HandOffKind::Answer),
        Ok(K::Supplement) => Ok(HandOffKind::Supplement),
        Ok(K::Result) => Ok(HandOffKind::Result),
        Ok(K::Misrouted) => Ok(HandOffKind::Misrouted),
        Ok(K::ReHome) => Ok(HandOffKind::ReHome),
        Ok(K::Unspecified) => Err(Refusal::field(Reason::FieldMissing, "kind")),
        Err(_) => Err(Refusal::field(Reason::BadChoice, "kind")),
    }
}

pub(crate) fn resolution(number: i32) -> Parsed<Resolution> {
    match v1::Resolution::try_from(number) {
        Ok(v1::Resolution::Resolved) => Ok(Resolution::Resolved),
        Ok(v1::Resolution::Denied) => Ok(Resolution::Denied),
        Ok(v1::Resolution::Withdrawn) => Ok(Resolution::Withdrawn),
        Ok(v1::Resolution::Stopped) => Ok(Resolution::Stopped),
        Ok(v1::Resolution::Unspecified) => Err(Refusal::field(Reason::FieldMissing, "resolution")),
        Err(_) => Err(Refusal::field(Reason::BadChoice, "resolution")),
    }
}

/// The level a caller waits for; none when it waits for nothing. Only what the node will see is waited for.
pub(crate) fn wait_for(number: i32) -> Parsed<Option<Level>> {
    use v1::AckLevel as L;
    match L::try_from(number) {
        Ok(L::Unspecified | L::Stored) => Ok(None),
        Ok(L::Received) => Ok(Some(Level::Received)),
        Ok(L::Decided) => Ok(Some(Level::Decided)),
        Ok(L::Courier | L::Acknowledged | L::Witnessed) | Err(_) => {
            Err(Refusal::field(Reason::BadChoice, "wait_for"))
        }
    }
}

/// Size of a page: 50 unless told, at most 200 so that an answer stays below a megabyte.
pub(crate) fn page_size(asked: i32) -> Parsed<usize> {
    match asked {
        0 => Ok(50),
        1..=200 => Ok(asked as usize),
        _ => Err(Refusal::field(Reason::BadChoice, "page_size")),
    }
}
