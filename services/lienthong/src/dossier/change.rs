//! The changing commands: one call each, and the same answer to people from all of them.

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use lienthong_core::limits;
use lienthong_proto::v1::{
    AcceptHandOffRequest, AckLevel, Act, AddNoteRequest, Channel, CompleteDossierRequest, Done, HandOffKind,
    OfferHandOffRequest, Phase, RecallHandOffRequest, RefuseHandOffRequest, Resolution, ReturnResultRequest,
    SubmitDossierRequest,
};
use tonic::{Response, Status};

use super::act;
use super::show::lines;
use crate::client::{Client, dossier_ref};
use crate::failure::Refusal;
use crate::{json, words};

/// The content format until content is sealed.
const CONTENT_FORMAT: &str = "plain/1";

pub(super) async fn submit(client: &Client, args: act::Submit, json: bool) -> anyhow::Result<()> {
    let act = args.acting.act()?;
    let key = act.idempotency_key.clone();
    let request = SubmitDossierRequest {
        act: Some(act),
        dossier_code: args.code.unwrap_or_default(),
        procedure_code: args.procedure,
        procedure_version: args.procedure_version,
        channel: Channel::from(args.channel) as i32,
        content: args.content.as_deref().map(read_content).transpose()?.unwrap_or_default().into(),
        content_format: CONTENT_FORMAT.to_owned(),
        due_at_ms: args.due,
        paper_items: args.paper,
    };
    let done = answer(client.dossiers().submit_dossier(request).await, &key)?.done;
    report("Đã tiếp nhận hồ sơ / taken in", done, &key, json)
}

pub(super) async fn offer(client: &Client, args: act::Offer, json: bool) -> anyhow::Result<()> {
    let (act, key) = acting(&args.acting)?;
    let request = OfferHandOffRequest {
        act: Some(act),
        dossier: Some(dossier_ref(&args.dossier)),
        to: args.to,
        kind: HandOffKind::from(args.kind) as i32,
        step: args.step,
        due_at_ms: args.due,
        paper_items: args.paper,
        note: args.note,
        wait_for: args.wait.map_or(AckLevel::Unspecified, AckLevel::from) as i32,
        wait_ms: if args.wait.is_some() { args.wait_ms } else { 0 },
    };
    let offered = answer(client.dossiers().offer_hand_off(request).await, &key)?;
    report_with("Đã giao / offered", offered.done, &key, json, Some(offered.hand_off_id))
}

pub(super) async fn accept(client: &Client, args: act::Accept, json: bool) -> anyhow::Result<()> {
    let (act, key) = acting(&args.acting)?;
    let request = AcceptHandOffRequest {
        act: Some(act),
        dossier: Some(dossier_ref(&args.dossier)),
        hand_off_id: args.hand_off,
        note: args.note,
    };
    let done = answer(client.dossiers().accept_hand_off(request).await, &key)?.done;
    report("Đã ký nhận / accepted", done, &key, json)
}

pub(super) async fn refuse(client: &Client, args: act::Refuse, json: bool) -> anyhow::Result<()> {
    let (act, key) = acting(&args.acting)?;
    let request = RefuseHandOffRequest {
        act: Some(act),
        dossier: Some(dossier_ref(&args.dossier)),
        hand_off_id: args.hand_off,
        reason: args.reason,
    };
    let done = answer(client.dossiers().refuse_hand_off(request).await, &key)?.done;
    report("Đã từ chối nhận / refused", done, &key, json)
}

pub(super) async fn recall(client: &Client, args: act::Recall, json: bool) -> anyhow::Result<()> {
    let (act, key) = acting(&args.acting)?;
    let request = RecallHandOffRequest {
        act: Some(act),
        dossier: Some(dossier_ref(&args.dossier)),
        reason: args.reason,
    };
    let done = answer(client.dossiers().recall_hand_off(request).await, &key)?.done;
    report("Đã xin lấy lại / asked back; the receiver decides", done, &key, json)
}

pub(super) async fn note(client: &Client, args: act::Note, json: bool) -> anyhow::Result<()> {
    let (act, key) = acting(&args.acting)?;
    let request =
        AddNoteRequest { act: Some(act), dossier: Some(dossier_ref(&args.dossier)), text: args.text };
    let done = answer(client.dossiers().add_note(request).await, &key)?.done;
    report("Đã ghi chú / noted", done, &key, json)
}

pub(super) async fn complete(client: &Client, args: act::Complete, json: bool) -> anyhow::Result<()> {
    let (act, key) = acting(&args.acting)?;
    let request = CompleteDossierRequest {
        act: Some(act),
        dossier: Some(dossier_ref(&args.dossier)),
        resolution: Resolution::from(args.resolution) as i32,
        note: args.note,
    };
    let done = answer(client.dossiers().complete_dossier(request).await, &key)?.done;
    report("Đã hoàn thành / completed", done, &key, json)
}

pub(super) async fn give_back(client: &Client, args: act::Return, json: bool) -> anyhow::Result<()> {
    let (act, key) = acting(&args.acting)?;
    let request = ReturnResultRequest {
        act: Some(act),
        dossier: Some(dossier_ref(&args.dossier)),
        channel: Channel::from(args.channel) as i32,
        note: args.note,
    };
    let done = answer(client.dossiers().return_result(request).await, &key)?.done;
    report("Đã trả kết quả / returned to the applicant", done, &key, json)
}

fn acting(acting: &crate::client::Acting) -> anyhow::Result<(Act, String)> {
    let act = acting.act()?;
    let key = act.idempotency_key.clone();
    Ok((act, key))
}

/// The answer, or the refusal with the key beside it: only with the key can a call be repeated safely.
fn answer<T>(answer: Result<Response<T>, Status>, key: &str) -> anyhow::Result<T> {
    answer.map(Response::into_inner).map_err(|status| {
        eprintln!("Khóa / idempotency key: {key}");
        Refusal::from(status).into()
    })
}

fn report(what: &str, done: Option<Done>, key: &str, json: bool) -> anyhow::Result<()> {
    report_with(what, done, key, json, None)
}

fn report_with(
    what: &str,
    done: Option<Done>,
    key: &str,
    json: bool,
    hand_off: Option<String>,
) -> anyhow::Result<()> {
    let done = done.context("the node's answer says nothing of what was done")?;
    if json {
        let mut value = json::value("Done", &done)?;
        value["idempotency_key"] = key.into();
        if let Some(hand_off) = hand_off {
            value["hand_off_id"] = hand_off.into();
        }
        println!("{value:#}");
        return Ok(());
    }
    let again = if done.repeated_call { " (câu trả lời đã lưu / the stored answer)" } else { "" };
    println!("{what}{again}");
    let phase = words::phase(Phase::try_from(done.phase).unwrap_or_default());
    let level = words::level(AckLevel::try_from(done.level).unwrap_or_default());
    lines(&[
        ("Mã hồ sơ / code", done.dossier_code),
        ("Định danh / id", done.dossier_id),
        ("Phát biểu / statement", format!("{} (sổ cái #{})", done.statement_id, done.ledger_index)),
    ]);
    if let Some(hand_off) = hand_off {
        lines(&[("Chuyển giao / hand-off", hand_off)]);
    }
    lines(&[
        ("Mức xác nhận / level", level.to_owned()),
        ("Trạng thái / phase", phase.to_owned()),
        ("Khóa / key", key.to_owned()),
    ]);
    Ok(())
}

fn read_content(path: &Path) -> anyhow::Result<Vec<u8>> {
    // One byte more than allowed: the node gives the reason, and a huge file is not read.
    let most = limits::CONTENT_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.with_context(|| format!("read {}", path.display()))?;
    Ok(bytes)
}
