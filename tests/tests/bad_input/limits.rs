//! Every field at its limit is taken, carried to the other node, and kept as it is.

use crate::asks::{act, offer, submit};
use crate::rig::Rig;
use lienthong_core::limits;
use lienthong_proto::v1;
use lienthong_tests::ref_id;

/// A text of exactly so many bytes.
fn exactly(bytes: usize) -> String {
    let mut text = "ệ".repeat(bytes / 3);
    text.push_str(&"a".repeat(bytes - text.len()));
    text
}

fn longest(agency: &str, key: char) -> v1::Act {
    let officer = v1::Officer { id: exactly(limits::OFFICER_BYTES), name: exactly(limits::OFFICER_BYTES) };
    let key = key.to_string().repeat(limits::KEY_BYTES);
    v1::Act { officer: Some(officer), ..act(agency, &key) }
}

fn papers() -> Vec<v1::PaperItem> {
    vec![v1::PaperItem { name: exactly(limits::PAPER_BYTES), copies: u32::MAX }; limits::PAPERS]
}

fn full_offer(key: char, id: &str) -> v1::OfferHandOffRequest {
    v1::OfferHandOffRequest {
        step: exactly(limits::STEP_BYTES),
        note: exactly(limits::TEXT_BYTES),
        due_at_ms: Some(i64::MAX),
        paper_items: papers(),
        wait_for: v1::AckLevel::Received as i32,
        wait_ms: 60_000,
        ..offer(longest("xa", key), id, "huyen")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_at_their_limits_are_carried() {
    let Some(mut rig) = Rig::started().await else { return };
    let (mut commune, mut district) = (rig.commune.client.clone(), rig.district.client.clone());
    let content = vec![0xa5; limits::CONTENT_BYTES];
    let intake = v1::SubmitDossierRequest {
        dossier_code: format!("{}-240115-0001", "A".repeat(limits::CODE_BYTES - 12)),
        procedure_code: format!("1.{}", "0".repeat(limits::PROCEDURE_BYTES - 2)),
        procedure_version: u32::MAX,
        content: content.clone().into(),
        content_format: "f".repeat(32),
        due_at_ms: Some(i64::MIN),
        paper_items: papers(),
        ..submit(longest("xa", 'i'))
    };
    let done = commune.submit_dossier(intake).await.expect("an intake").into_inner().done.expect("done");
    let id = done.dossier_id;
    let (dossier, text) = (|| ref_id(&id), || exactly(limits::TEXT_BYTES));
    let note = v1::AddNoteRequest { act: Some(longest("xa", 'n')), dossier: dossier(), text: text() };
    commune.add_note(note).await.expect("a note");
    let refuse = v1::RefuseHandOffRequest {
        act: Some(longest("huyen", 'r')),
        dossier: dossier(),
        hand_off_id: offered(&rig, 'o', &id).await,
        reason: text(),
    };
    district.refuse_hand_off(refuse).await.expect("a refusal");
    rig.commune.until(&id, v1::Phase::Held).await;
    let accept = v1::AcceptHandOffRequest {
        act: Some(longest("huyen", 'a')),
        dossier: dossier(),
        hand_off_id: offered(&rig, 'p', &id).await,
        note: text(),
    };
    district.accept_hand_off(accept).await.expect("an acceptance");
    let read = v1::ReadContentRequest {
        agency: "huyen".into(),
        dossier: dossier(),
        officer: longest("huyen", 'x').officer,
        purpose: text(),
    };
    let read = district.read_content(read).await.expect("the content").into_inner().content.expect("content");
    assert!(read.data == content && read.format == "f".repeat(32), "the content came along as it was");
    let complete = v1::CompleteDossierRequest {
        act: Some(longest("huyen", 'c')),
        dossier: dossier(),
        resolution: v1::Resolution::Denied as i32,
        note: text(),
    };
    district.complete_dossier(complete).await.expect("a completion");
    let give = v1::ReturnResultRequest {
        act: Some(longest("huyen", 'g')),
        dossier: dossier(),
        channel: v1::Channel::Post as i32,
        note: text(),
    };
    district.return_result(give).await.expect("a return");
    let evidence = rig.district.export("export", &id).await.expect("evidence");
    lienthong_wire::evidence::verify(evidence.into(), None).expect("sound evidence");
    rig.province.stop().await;
}

async fn offered(rig: &Rig, key: char, id: &str) -> String {
    let answer =
        rig.commune.client.clone().offer_hand_off(full_offer(key, id)).await.expect("an offer").into_inner();
    assert!(answer.done.expect("done").level >= v1::AckLevel::Received as i32, "the largest offer arrives");
    answer.hand_off_id
}
