//! Fields that are missing, empty, too long, or not what they should be.

use crate::asks::{Ask, act, changes, lists, looks, offer, officer, submit};
use crate::rig::{Case, Rig, case};
use lienthong_core::limits;
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_tests::{ref_code, ref_id};

fn text(bytes: usize) -> String {
    "a".repeat(bytes)
}

/// One byte above a limit in a text of two-byte characters: limits count bytes.
fn over(limit: usize) -> String {
    let mut text = "ê".repeat(limit / 2);
    text.push_str(&"a".repeat(limit + 1 - text.len()));
    text
}

fn everyone(change: impl Fn(&mut v1::Act), id: &str) -> Vec<Ask> {
    let mut bad = act("xa", "key");
    change(&mut bad);
    let mut asks = changes(Some(bad.clone()), ref_id(id));
    asks.push(submit(bad).into());
    asks
}

/// Who acts, in every changing request.
fn acting(id: &str) -> Vec<Case> {
    type Change = fn(&mut v1::Act);
    let (missing, long, bad) = (Reason::FieldMissing, Reason::FieldTooLong, Reason::BadId);
    let faults: [(Change, Reason, &str); 16] = [
        (|a| a.agency.clear(), missing, "act.agency"),
        (|a| a.agency = text(41), bad, "act.agency"),
        (|a| a.agency = "Xã".into(), bad, "act.agency"),
        (|a| a.agency = "xa.1".into(), bad, "act.agency"),
        (|a| a.agency = "khong-co".into(), Reason::UnknownAgency, "act.agency"),
        (|a| a.idempotency_key.clear(), missing, "act.idempotency_key"),
        (|a| a.idempotency_key = text(limits::KEY_BYTES + 1), long, "act.idempotency_key"),
        (|a| a.idempotency_key = "khóa".into(), bad, "act.idempotency_key"),
        (|a| a.idempotency_key = "a b".into(), bad, "act.idempotency_key"),
        (|a| a.idempotency_key = "a\0b".into(), bad, "act.idempotency_key"),
        (|a| a.officer = None, missing, "act.officer"),
        (|a| a.officer = Some(v1::Officer::default()), missing, "act.officer.id"),
        (|a| a.officer = Some(v1::Officer { id: String::new(), ..officer() }), missing, "act.officer.id"),
        (|a| a.officer = Some(v1::Officer { id: " \t".into(), ..officer() }), missing, "act.officer.id"),
        (
            |a| a.officer = Some(v1::Officer { id: over(limits::OFFICER_BYTES), ..officer() }),
            long,
            "act.officer.id",
        ),
        (
            |a| a.officer = Some(v1::Officer { name: over(limits::OFFICER_BYTES), ..officer() }),
            long,
            "act.officer.name",
        ),
    ];
    let mut cases: Vec<Case> = faults
        .into_iter()
        .flat_map(|(change, reason, field)| {
            everyone(change, id).into_iter().map(move |ask| case(ask, reason, field))
        })
        .collect();
    let nobody = changes(None, ref_id(id)).into_iter().chain([v1::SubmitDossierRequest {
        act: None,
        ..submit(act("xa", "key"))
    }
    .into()]);
    cases.extend(nobody.map(|ask| case(ask, Reason::FieldMissing, "act")));
    cases
}

/// Which agency, in every reading request.
fn agencies(id: &str) -> Vec<Case> {
    let faults = [
        ("", Reason::FieldMissing),
        ("XA", Reason::BadId),
        ("xa/huyen", Reason::BadId),
        ("khong-co", Reason::UnknownAgency),
    ];
    let asks = |agency: &str| looks(agency, ref_id(id)).into_iter().chain(lists(agency)).collect::<Vec<_>>();
    let mut cases: Vec<Case> = faults
        .into_iter()
        .flat_map(|(agency, reason)| asks(agency).into_iter().map(move |ask| case(ask, reason, "agency")))
        .collect();
    cases.extend(asks(&text(41)).into_iter().map(|ask| case(ask, Reason::BadId, "agency")));
    cases
}

/// Which dossier, in every request about one.
fn dossiers() -> Vec<Case> {
    let code = |text: &str| (ref_code(text), Reason::BadDossierCode, "dossier.code");
    let id = |text: &str| (ref_id(text), Reason::BadId, "dossier.id");
    let faults = [
        (None, Reason::FieldMissing, "dossier"),
        (Some(v1::DossierRef { by: None }), Reason::FieldMissing, "dossier"),
        id(""),
        id("0123"),
        id(&"0".repeat(63)),
        id(&"0".repeat(65)),
        id(&"g".repeat(64)),
        id(&"ộ".repeat(21)),
        code(""),
        code("H99.1"),
        code("h99.1-240115-0001"),
        code("H99.1-240115-001"),
        code("H99.1-2401155-0001"),
        code("H99..1-240115-0001"),
        code("H99.1-240115-0001 "),
        code("Hồ-240115-0001"),
        code(&format!("{}-240115-0001", "A".repeat(53))),
    ];
    let asks = |dossier: Option<v1::DossierRef>| {
        changes(Some(act("xa", "key")), dossier.clone()).into_iter().chain(looks("xa", dossier))
    };
    let cases = faults.into_iter();
    cases
        .flat_map(|(dossier, reason, field)| asks(dossier).map(move |ask| case(ask, reason, field)))
        .collect()
}

fn papers(items: usize, name: &str) -> Vec<v1::PaperItem> {
    vec![v1::PaperItem { name: name.to_owned(), copies: 1 }; items]
}

/// What only an intake has.
fn intakes() -> Vec<Case> {
    use Reason as R;
    let good = || submit(act("xa", "intake"));
    type Request = v1::SubmitDossierRequest;
    let with = |change: fn(&mut Request), reason: Reason, field: &'static str| {
        let mut request = good();
        change(&mut request);
        case(request, reason, field)
    };
    vec![
        with(|r| r.dossier_code = "H99.1-240115-1".into(), R::BadDossierCode, "dossier_code"),
        with(|r| r.dossier_code = " H99.1-240115-0001".into(), R::BadDossierCode, "dossier_code"),
        with(
            |r| r.dossier_code = format!("{}-240115-0001", "A".repeat(53)),
            R::BadDossierCode,
            "dossier_code",
        ),
        with(|r| r.procedure_code.clear(), R::FieldMissing, "procedure_code"),
        with(|r| r.procedure_code = "1001193".into(), R::BadProcedureCode, "procedure_code"),
        with(|r| r.procedure_code = "1..1".into(), R::BadProcedureCode, "procedure_code"),
        with(|r| r.procedure_code = format!("1.{}", text(63)), R::BadProcedureCode, "procedure_code"),
        with(|r| r.channel = 0, R::FieldMissing, "channel"),
        with(|r| r.channel = 4, R::BadChoice, "channel"),
        with(|r| r.channel = -1, R::BadChoice, "channel"),
        with(|r| r.content = vec![7; limits::CONTENT_BYTES + 1].into(), R::ContentTooLarge, "content"),
        with(|r| r.content_format = text(33), R::FieldTooLong, "content_format"),
        with(
            |r| (r.content, r.content_format) = (Vec::new().into(), text(33)),
            R::FieldTooLong,
            "content_format",
        ),
        with(|r| r.paper_items = papers(limits::PAPERS + 1, "Đơn"), R::TooManyItems, "paper_items"),
        with(|r| r.paper_items = papers(1, &over(limits::PAPER_BYTES)), R::FieldTooLong, "paper_items.name"),
        with(|r| r.paper_items = papers(1, ""), R::FieldMissing, "paper_items.name"),
    ]
}

/// What only an offer has.
fn offers(id: &str) -> Vec<Case> {
    use Reason as R;
    type Request = v1::OfferHandOffRequest;
    let with = |change: fn(&mut Request), reason: Reason, field: &'static str| {
        let mut request = offer(act("xa", "offer"), id, "huyen");
        change(&mut request);
        case(request, reason, field)
    };
    vec![
        with(|r| r.to.clear(), R::FieldMissing, "to"),
        with(|r| r.to = text(41), R::BadId, "to"),
        with(|r| r.to = "huyện".into(), R::BadId, "to"),
        with(|r| r.kind = 0, R::FieldMissing, "kind"),
        with(|r| r.kind = 9, R::BadChoice, "kind"),
        with(|r| r.step = over(limits::STEP_BYTES), R::FieldTooLong, "step"),
        with(|r| r.note = over(limits::TEXT_BYTES), R::FieldTooLong, "note"),
        with(|r| r.paper_items = papers(limits::PAPERS + 1, "Đơn"), R::TooManyItems, "paper_items"),
        with(|r| r.paper_items = papers(1, &over(limits::PAPER_BYTES)), R::FieldTooLong, "paper_items.name"),
        with(|r| r.paper_items = papers(1, ""), R::FieldMissing, "paper_items.name"),
        with(|r| r.wait_ms = 60_001, R::BadChoice, "wait_ms"),
        with(|r| r.wait_for = 2, R::BadChoice, "wait_for"),
        with(|r| r.wait_for = 6, R::BadChoice, "wait_for"),
        with(|r| r.wait_for = 99, R::BadChoice, "wait_for"),
    ]
}

/// The words of the other changing requests.
fn words(id: &str) -> Vec<Case> {
    use Reason as R;
    let long = || over(limits::TEXT_BYTES);
    let (acting, dossier) = (|| Some(act("xa", "words")), || ref_id(id));
    let accept = |hand_off_id: String, note: String| v1::AcceptHandOffRequest {
        act: acting(),
        dossier: dossier(),
        hand_off_id,
        note,
    };
    let refuse = |hand_off_id: String, reason: String| v1::RefuseHandOffRequest {
        act: acting(),
        dossier: dossier(),
        hand_off_id,
        reason,
    };
    let recall = |reason: String| v1::RecallHandOffRequest { act: acting(), dossier: dossier(), reason };
    let note = |text: String| v1::AddNoteRequest { act: acting(), dossier: dossier(), text };
    let complete = |resolution: i32, note: String| v1::CompleteDossierRequest {
        act: acting(),
        dossier: dossier(),
        resolution,
        note,
    };
    let give = |channel: i32, note: String| v1::ReturnResultRequest {
        act: acting(),
        dossier: dossier(),
        channel,
        note,
    };
    let read = |officer: Option<v1::Officer>, purpose: String| v1::ReadContentRequest {
        agency: "xa".into(),
        dossier: dossier(),
        officer,
        purpose,
    };
    vec![
        case(accept("xyz".into(), String::new()), R::BadId, "hand_off_id"),
        case(accept("0".repeat(65), String::new()), R::BadId, "hand_off_id"),
        case(accept(String::new(), long()), R::FieldTooLong, "note"),
        case(refuse("xyz".into(), "Thiếu".into()), R::BadId, "hand_off_id"),
        case(refuse(String::new(), String::new()), R::FieldMissing, "reason"),
        case(refuse(String::new(), " \n\u{a0}".into()), R::FieldMissing, "reason"),
        case(refuse(String::new(), long()), R::FieldTooLong, "reason"),
        case(recall(String::new()), R::FieldMissing, "reason"),
        case(recall(long()), R::FieldTooLong, "reason"),
        case(note(String::new()), R::FieldMissing, "text"),
        case(note(long()), R::FieldTooLong, "text"),
        case(complete(0, String::new()), R::FieldMissing, "resolution"),
        case(complete(5, String::new()), R::BadChoice, "resolution"),
        case(complete(1, long()), R::FieldTooLong, "note"),
        case(give(0, String::new()), R::FieldMissing, "channel"),
        case(give(7, String::new()), R::BadChoice, "channel"),
        case(give(1, long()), R::FieldTooLong, "note"),
        case(read(None, "giải quyết".into()), R::FieldMissing, "officer"),
        case(read(Some(v1::Officer::default()), "giải quyết".into()), R::FieldMissing, "officer.id"),
        case(read(Some(officer()), String::new()), R::FieldMissing, "purpose"),
        case(read(Some(officer()), long()), R::FieldTooLong, "purpose"),
    ]
}

/// Pages and filters.
fn pages() -> Vec<Case> {
    use Reason as R;
    let agency = || "xa".to_owned();
    let mut cases = Vec::new();
    for page_size in [-1, 201, i32::MAX] {
        cases.extend([
            case(
                v1::ListDossiersRequest { agency: agency(), page_size, ..Default::default() },
                R::BadChoice,
                "page_size",
            ),
            case(
                v1::ListInboxRequest { agency: agency(), page_size, ..Default::default() },
                R::BadChoice,
                "page_size",
            ),
            case(
                v1::ListOutboxRequest { agency: agency(), page_size, ..Default::default() },
                R::BadChoice,
                "page_size",
            ),
            case(
                v1::ListQuarantineRequest { agency: agency(), page_size, ..Default::default() },
                R::BadChoice,
                "page_size",
            ),
        ]);
    }
    let tokens = ["x", "-1", "0", "0.", "1.aa", &format!("9.{}", "0".repeat(64)), &text(1_000), "trang hai"];
    for page_token in tokens.map(str::to_owned) {
        let request = v1::ListDossiersRequest { agency: agency(), page_token, ..Default::default() };
        cases.push(case(request, R::BadCursor, "page_token"));
    }
    for page_token in ["x", "-1", "1.5", "99999999999999999999", &text(1_000)].map(str::to_owned) {
        let outbox =
            v1::ListOutboxRequest { agency: agency(), page_token: page_token.clone(), ..Default::default() };
        let quarantine = v1::ListQuarantineRequest { agency: agency(), page_token, ..Default::default() };
        cases
            .extend([case(outbox, R::BadCursor, "page_token"), case(quarantine, R::BadCursor, "page_token")]);
    }
    for phases in [vec![0], vec![8], vec![2, -5]] {
        let request = v1::ListDossiersRequest { agency: agency(), phases, ..Default::default() };
        cases.push(case(request, R::BadChoice, "phases"));
    }
    for procedure_code in ["1001193".to_owned(), text(65)] {
        let request = v1::ListDossiersRequest { agency: agency(), procedure_code, ..Default::default() };
        cases.push(case(request, R::BadProcedureCode, "procedure_code"));
    }
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_named() {
    let Some(mut rig) = Rig::started().await else { return };
    let held = rig.commune.submit("held", b"giu").await.expect("an intake").dossier_id;
    let mut cases = acting(&held);
    cases.extend(agencies(&held));
    cases.extend(dossiers());
    cases.extend(intakes());
    cases.extend(offers(&held));
    cases.extend(words(&held));
    cases.extend(pages());
    rig.all_refused("xa", cases).await;
    rig.province.stop().await;
}
