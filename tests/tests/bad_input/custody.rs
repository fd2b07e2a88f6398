//! Requests that are well formed and may not be: of others, too late, twice, or under a key that was used.

use crate::asks::{Ask, act, changes, lists, looks, offer, submit};
use crate::rig::{Case, Rig, case, rule};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_tests::{ref_code, ref_id};

/// Dossiers of the commune in each state.
struct Dossiers {
    held: v1::Done,
    /// Offered, undecided, and recalled for nothing: the district is asked later.
    offered: String,
    gone: String,
    gone_tid: String,
    completed: String,
    closed: String,
}

async fn dossiers(rig: &Rig) -> Dossiers {
    let (commune, district) = (&rig.commune, &rig.district);
    let taken = async |key: &str| commune.submit(key, b"noi dung").await.expect("an intake");
    let id = async |key: &str| taken(key).await.dossier_id;
    let (held, offered, gone) = (taken("held").await, id("offered").await, id("gone").await);
    let (completed, closed) = (id("completed").await, id("closed").await);
    let received = v1::AckLevel::Received;
    commune.offer_until("o1", &offered, "huyen", received, 20_000).await.expect("an offer");
    let tid = commune.offer_until("o2", &gone, "huyen", received, 20_000).await.expect("an offer");
    district.accept("a1", &gone).await.expect("an acceptance");
    commune.until(&gone, v1::Phase::Gone).await;
    for id in [&completed, &closed] {
        commune.complete(&format!("c-{}", &id[..8]), id).await.expect("a completion");
    }
    commune.return_result("r1", &closed).await.expect("a return");
    Dossiers { held, offered, gone, gone_tid: tid.hand_off_id, completed, closed }
}

/// What each changing request on this dossier is told, in the order of [`changes`] without the export.
fn each(id: &str, reasons: [Option<Reason>; 7]) -> Vec<Case> {
    let asks = changes(Some(act("xa", "rule")), ref_id(id)).into_iter();
    asks.zip(reasons).filter_map(|(ask, reason)| Some(rule(ask, reason?))).collect()
}

fn at_the_commune(d: &Dossiers) -> Vec<Case> {
    use Reason as R;
    let not = Some(R::NotOffered);
    // Offer, accept, refuse, recall, note, complete, return.
    let mut cases = each(&d.held.dossier_id, [None, not, not, not, None, None, Some(R::NotCompleted)]);
    let locked = Some(R::LockedByOffer);
    cases.extend(each(&d.offered, [locked, not, not, None, locked, locked, locked]));
    let gone = Some(R::NotCustodian);
    cases.extend(each(&d.gone, [gone, not, not, gone, gone, gone, gone]));
    cases.extend(each(&d.completed, [None, not, not, not, None, Some(R::AlreadyCompleted), None]));
    let closed = Some(R::Closed);
    cases.extend(each(&d.closed, [closed, not, not, not, closed, closed, closed]));
    let unknown = Some(R::DossierNotFound);
    cases.extend(each(&"0".repeat(64), [unknown; 7]));
    let held = &d.held.dossier_id;
    let to = |to: &str| offer(act("xa", "to"), held, to);
    cases.extend([
        rule(to("so"), R::HandOffNotAllowed),
        rule(to("xa"), R::HandOffToSelf),
        rule(to("khong-co"), R::UnknownAgency),
    ]);
    let strangers = ref_code("H99.9-240115-0001");
    let acting = Some(act("xa", "stranger"));
    let about = changes(acting, strangers.clone()).into_iter().chain(looks("xa", strangers));
    cases.extend(about.map(|ask| rule(ask, R::DossierNotFound)));
    cases.extend(looks("xa", ref_id(&"f".repeat(64))).into_iter().map(|ask| rule(ask, R::DossierNotFound)));
    cases
}

/// An agency that exists and is not of this node.
fn not_hosted(id: &str) -> Vec<Case> {
    let mut asks = changes(Some(act("huyen", "hosted")), ref_id(id));
    asks.push(submit(act("huyen", "hosted")).into());
    asks.extend(looks("huyen", ref_id(id)));
    asks.extend(lists("huyen"));
    asks.into_iter().map(|ask| rule(ask, Reason::AgencyNotHosted)).collect()
}

/// The key of an earlier call with anything else.
fn used_keys(d: &Dossiers) -> Vec<Case> {
    let conflict = |ask: Ask| rule(ask, Reason::IdempotencyConflict);
    let other = |change: fn(&mut v1::SubmitDossierRequest)| {
        let mut request = submit(act("xa", "held"));
        change(&mut request);
        conflict(request.into())
    };
    let mut cases = vec![
        other(|r| r.content = "khác".into()),
        other(|r| r.procedure_version = 2),
        other(|r| {
            r.act = Some(v1::Act {
                officer: Some(v1::Officer { id: "cb02".into(), name: String::new() }),
                ..act("xa", "held")
            })
        }),
        conflict(offer(act("xa", "o1"), &d.offered, "so").into()),
        conflict(offer(act("xa", "o1"), &d.held.dossier_id, "huyen").into()),
    ];
    cases.extend(changes(Some(act("xa", "held")), ref_id(&d.held.dossier_id)).into_iter().map(conflict));
    let code =
        v1::SubmitDossierRequest { dossier_code: d.held.dossier_code.clone(), ..submit(act("xa", "code")) };
    cases.push(rule(code, Reason::CodeInUse));
    cases
}

/// Decisions at the receiver: once, by the one it was offered to, about the dossier that is named.
fn at_the_district(d: &Dossiers) -> Vec<Case> {
    use Reason as R;
    let accept = |id: &str, tid: &str| v1::AcceptHandOffRequest {
        act: Some(act("huyen", "again")),
        dossier: ref_id(id),
        hand_off_id: tid.to_owned(),
        note: String::new(),
    };
    let refuse = |id: &str, tid: &str| v1::RefuseHandOffRequest {
        act: Some(act("huyen", "again")),
        dossier: ref_id(id),
        hand_off_id: tid.to_owned(),
        reason: "Thiếu giấy tờ".into(),
    };
    vec![
        rule(accept(&d.gone, ""), R::AlreadyDecided),
        rule(accept(&d.gone, &d.gone_tid), R::AlreadyDecided),
        rule(refuse(&d.gone, ""), R::AlreadyDecided),
        rule(refuse(&d.gone, &d.gone_tid), R::AlreadyDecided),
        rule(accept(&d.offered, &"0".repeat(64)), R::DossierNotFound),
        rule(accept(&d.held.dossier_id, ""), R::DossierNotFound),
        // The transfer of another dossier is not signed for under this one's name.
        case(accept(&d.offered, &d.gone_tid), R::BadId, "hand_off_id"),
        case(refuse(&d.offered, &d.gone_tid), R::BadId, "hand_off_id"),
        rule(offer(act("huyen", "inbox"), &d.offered, "xa"), R::NotCustodian),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_is_refused_with_its_reason() {
    let Some(mut rig) = Rig::started().await else { return };
    let dossiers = dossiers(&rig).await;
    rig.all_refused("xa", at_the_commune(&dossiers)).await;
    rig.all_refused("xa", not_hosted(&dossiers.held.dossier_id)).await;
    rig.all_refused("xa", used_keys(&dossiers)).await;
    rig.all_refused("huyen", at_the_district(&dossiers)).await;
    rig.commune.recall("recall", &dossiers.offered, "Nhầm nơi nhận").await.expect("a recall");
    rig.commune.until(&dossiers.offered, v1::Phase::Held).await;
    let decided = |tid: &str| v1::AcceptHandOffRequest {
        act: Some(act("huyen", "late")),
        dossier: ref_id(&dossiers.offered),
        hand_off_id: tid.to_owned(),
        note: String::new(),
    };
    // The recall won: an officer who comes later learns it.
    rig.all_refused("huyen", vec![rule(decided(""), Reason::AlreadyDecided)]).await;
    rig.province.stop().await;
}
