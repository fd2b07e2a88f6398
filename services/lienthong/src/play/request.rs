//! One act as one gRPC call.

use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_proto::v1::{
    self as v1, AcceptHandOffRequest, AddNoteRequest, CompleteDossierRequest, Done, DossierRef,
    OfferHandOffRequest, PaperItem, RecallHandOffRequest, RefuseHandOffRequest, Resolution,
    ReturnResultRequest, SubmitDossierRequest, dossier_ref,
};
use tonic::Status;
use tonic::transport::Channel;

use super::{Act, Deed};
use crate::time;

const HOUR_MS: i64 = 3_600_000;

/// Makes the call. `id` is the dossier's id; a submit has none yet.
pub(super) async fn call(
    client: &mut DossierServiceClient<Channel>,
    act: &Act,
    key: String,
    id: Option<&str>,
) -> Result<Done, Status> {
    let officer = v1::Officer { id: act.officer.id.clone(), name: act.officer.name.clone() };
    let who = Some(v1::Act { agency: act.agency.clone(), idempotency_key: key, officer: Some(officer) });
    let dossier = id.map(reference);
    let done = match &act.deed {
        Deed::Submit { procedure, channel, content, papers } => {
            let request = SubmitDossierRequest {
                act: who,
                dossier_code: String::new(),
                procedure_code: procedure.clone(),
                procedure_version: 1,
                channel: *channel as i32,
                content: content.clone().into_bytes().into(),
                content_format: "plain/1".to_owned(),
                due_at_ms: None,
                paper_items: items(papers),
            };
            client.submit_dossier(request).await?.into_inner().done
        }
        Deed::Offer { .. } => offer(client, act, who, dossier).await?,
        Deed::Accept { note } => {
            let request =
                AcceptHandOffRequest { act: who, dossier, hand_off_id: String::new(), note: note.clone() };
            client.accept_hand_off(request).await?.into_inner().done
        }
        Deed::Refuse { reason } => {
            let request = RefuseHandOffRequest {
                act: who,
                dossier,
                hand_off_id: String::new(),
                reason: reason.clone(),
            };
            client.refuse_hand_off(request).await?.into_inner().done
        }
        Deed::Recall { reason, .. } => {
            let request = RecallHandOffRequest { act: who, dossier, reason: reason.clone() };
            client.recall_hand_off(request).await?.into_inner().done
        }
        Deed::Note { text } => {
            client.add_note(AddNoteRequest { act: who, dossier, text: text.clone() }).await?.into_inner().done
        }
        Deed::Complete { result } => {
            let resolution = Resolution::Resolved as i32;
            let request = CompleteDossierRequest { act: who, dossier, resolution, note: result.clone() };
            client.complete_dossier(request).await?.into_inner().done
        }
        Deed::Return { channel } => {
            let request =
                ReturnResultRequest { act: who, dossier, channel: *channel as i32, note: String::new() };
            client.return_result(request).await?.into_inner().done
        }
    };
    done.ok_or_else(|| Status::internal("the answer says nothing of what was done"))
}

/// Names a dossier by its id.
pub(super) fn reference(id: &str) -> DossierRef {
    DossierRef { by: Some(dossier_ref::By::Id(id.to_owned())) }
}

async fn offer(
    client: &mut DossierServiceClient<Channel>,
    act: &Act,
    who: Option<v1::Act>,
    dossier: Option<DossierRef>,
) -> Result<Option<Done>, Status> {
    let Deed::Offer { to, kind, step, papers, note, due_hours } = &act.deed else { return Ok(None) };
    let request = OfferHandOffRequest {
        act: who,
        dossier,
        to: to.clone(),
        kind: *kind as i32,
        step: step.clone(),
        due_at_ms: due_hours.map(|hours| time::now_ms() + i64::from(hours) * HOUR_MS),
        paper_items: items(papers),
        note: note.clone(),
        ..OfferHandOffRequest::default()
    };
    Ok(client.offer_hand_off(request).await?.into_inner().done)
}

fn items(papers: &[String]) -> Vec<PaperItem> {
    papers.iter().map(|name| PaperItem { name: name.clone(), copies: 1 }).collect()
}
