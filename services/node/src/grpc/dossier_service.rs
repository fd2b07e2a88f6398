//! `DossierService`: each method parses, asks the loop, and shapes the answer.

use super::desk::Desk;
use super::parse::{self, Acting, Parsed};
use super::refusal::Refusal;
use super::shape;
use super::{inbox, lists, perform, trail};
use crate::engine::Level;
use lienthong_core::custody::command::{Act, OfferTo, Submit};
use lienthong_core::limits;
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_proto::v1::dossier_service_server::DossierService;
use lienthong_wire::content;
use lienthong_wire::limits::FORMAT_BYTES;
use std::time::Duration;
use tonic::{Request, Response, Status, Streaming};

/// The longest a caller may wait for a level; then it asks again.
const WAIT_LIMIT_MS: u32 = 60_000;

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(parsed: Parsed<T>) -> Answer<T> {
    parsed.map(Response::new).map_err(Status::from)
}

impl Desk {
    pub(super) fn acting(&self, act: &mut Option<v1::Act>) -> Parsed<Acting> {
        let acting = Acting::parse(act.as_ref())?;
        self.known(acting.agency.clone(), "act.agency")?;
        // The digest of a request is taken without its key.
        if let Some(act) = act {
            act.idempotency_key.clear();
        }
        Ok(acting)
    }

    pub(super) async fn submit(&self, mut r: v1::SubmitDossierRequest) -> Parsed<v1::SubmitDossierResponse> {
        let acting = self.acting(&mut r.act)?;
        let call = acting.call("SubmitDossier", &r);
        if r.procedure_code.is_empty() {
            return Err(Refusal::field(Reason::FieldMissing, "procedure_code"));
        }
        if r.content.len() > limits::CONTENT_BYTES {
            return Err(Refusal::field(Reason::ContentTooLarge, "content"));
        }
        if r.content_format.len() > FORMAT_BYTES {
            return Err(Refusal::field(Reason::FieldTooLong, "content_format"));
        }
        let content = if r.content.is_empty() {
            None
        } else {
            let format = if r.content_format.is_empty() { content::PLAIN } else { &r.content_format };
            let salt = content::new_salt().map_err(|_| Reason::StorageFailed)?;
            Some(
                content::commit(format, &r.content, &salt)
                    .map_err(|reason| Refusal::field(reason, "content"))?,
            )
        };
        let act = Act::Submit(Submit {
            code: parse::code(r.dossier_code)?,
            procedure: parse::procedure(r.procedure_code)?,
            procedure_version: r.procedure_version,
            channel: parse::channel(r.channel)?,
            content,
            due_at: parse::due(r.due_at_ms),
            papers: parse::papers(r.paper_items)?,
        });
        let done = self.command(acting, call, act).await?;
        Ok(v1::SubmitDossierResponse { done: Some(done) })
    }

    pub(super) async fn offer(&self, mut r: v1::OfferHandOffRequest) -> Parsed<v1::OfferHandOffResponse> {
        let acting = self.acting(&mut r.act)?;
        let (wait_for, wait_ms) = (parse::wait_for(r.wait_for)?, r.wait_ms);
        (r.wait_for, r.wait_ms) = (0, 0);
        let call = acting.call("OfferHandOff", &r);
        if wait_ms > WAIT_LIMIT_MS {
            return Err(Refusal::field(Reason::BadChoice, "wait_ms"));
        }
        let track = self.track_of(&acting.agency, parse::dossier(r.dossier)?, &call).await?;
        let act = Act::Offer(OfferTo {
            track,
            to: parse::agency(&r.to, "to")?,
            kind: parse::hand_off_kind(r.kind)?,
            step: parse::within(r.step, limits::STEP_BYTES, "step")?,
            due_at: parse::due(r.due_at_ms),
            papers: parse::papers(r.paper_items)?,
            note: parse::within(r.note, limits::TEXT_BYTES, "note")?,
        });
        let done = match wait_for {
            None => self.command(acting, call, act).await?,
            Some(level) => self.offer_until(acting, call, act, level, wait_ms).await?,
        };
        Ok(v1::OfferHandOffResponse { hand_off_id: done.statement_id.clone(), done: Some(done) })
    }

    async fn offer_until(
        &self,
        acting: Acting,
        call: lienthong_core::record::CommandRef,
        act: Act,
        level: Level,
        wait_ms: u32,
    ) -> Parsed<v1::Done> {
        let (mut done, reached) = self.command_until(acting, call, act, level).await?;
        let wait = Duration::from_millis(u64::from(wait_ms));
        // Whatever comes first, the answer says how far it is.
        let reached = tokio::select! {
            reached = tokio::time::timeout(wait, reached) => reached.ok().and_then(Result::ok),
            () = self.stop.cancelled() => None,
        };
        if let Some(level) = reached {
            done.level = shape::level(level) as i32;
        }
        Ok(done)
    }

    pub(super) async fn accept(&self, mut r: v1::AcceptHandOffRequest) -> Parsed<v1::AcceptHandOffResponse> {
        let acting = self.acting(&mut r.act)?;
        let call = acting.call("AcceptHandOff", &r);
        let note = parse::within(r.note, limits::TEXT_BYTES, "note")?;
        let dossier = parse::dossier(r.dossier)?;
        let tid = self.transfer(&acting.agency, dossier, &r.hand_off_id, &call).await?;
        self.link_to_offer(&acting.agency, tid).await;
        let done = self.command(acting, call, Act::Accept { tid, note }).await?;
        Ok(v1::AcceptHandOffResponse { done: Some(done) })
    }

    pub(super) async fn refuse(&self, mut r: v1::RefuseHandOffRequest) -> Parsed<v1::RefuseHandOffResponse> {
        let acting = self.acting(&mut r.act)?;
        let call = acting.call("RefuseHandOff", &r);
        let reason = parse::words(r.reason, "reason")?;
        let dossier = parse::dossier(r.dossier)?;
        let tid = self.transfer(&acting.agency, dossier, &r.hand_off_id, &call).await?;
        self.link_to_offer(&acting.agency, tid).await;
        let done = self.command(acting, call, Act::Refuse { tid, reason }).await?;
        Ok(v1::RefuseHandOffResponse { done: Some(done) })
    }

    pub(super) async fn recall(&self, mut r: v1::RecallHandOffRequest) -> Parsed<v1::RecallHandOffResponse> {
        let acting = self.acting(&mut r.act)?;
        let call = acting.call("RecallHandOff", &r);
        let reason = parse::words(r.reason, "reason")?;
        let track = self.track_of(&acting.agency, parse::dossier(r.dossier)?, &call).await?;
        let done = self.command(acting, call, Act::Recall { track, reason }).await?;
        Ok(v1::RecallHandOffResponse { done: Some(done) })
    }

    pub(super) async fn note(&self, mut r: v1::AddNoteRequest) -> Parsed<v1::AddNoteResponse> {
        let acting = self.acting(&mut r.act)?;
        let call = acting.call("AddNote", &r);
        let text = parse::words(r.text, "text")?;
        let track = self.track_of(&acting.agency, parse::dossier(r.dossier)?, &call).await?;
        let done = self.command(acting, call, Act::Note { track, text }).await?;
        Ok(v1::AddNoteResponse { done: Some(done) })
    }

    pub(super) async fn complete(
        &self,
        mut r: v1::CompleteDossierRequest,
    ) -> Parsed<v1::CompleteDossierResponse> {
        let acting = self.acting(&mut r.act)?;
        let call = acting.call("CompleteDossier", &r);
        let resolution = parse::resolution(r.resolution)?;
        let note = parse::within(r.note, limits::TEXT_BYTES, "note")?;
        let track = self.track_of(&acting.agency, parse::dossier(r.dossier)?, &call).await?;
        let done = self.command(acting, call, Act::Complete { track, resolution, note }).await?;
        Ok(v1::CompleteDossierResponse { done: Some(done) })
    }

    pub(super) async fn return_result(
        &self,
        mut r: v1::ReturnResultRequest,
    ) -> Parsed<v1::ReturnResultResponse> {
        let acting = self.acting(&mut r.act)?;
        let call = acting.call("ReturnResult", &r);
        let channel = parse::channel(r.channel)?;
        let note = parse::within(r.note, limits::TEXT_BYTES, "note")?;
        let track = self.track_of(&acting.agency, parse::dossier(r.dossier)?, &call).await?;
        let done = self.command(acting, call, Act::Return { track, channel, note }).await?;
        Ok(v1::ReturnResultResponse { done: Some(done) })
    }

    async fn get(&self, r: v1::GetDossierRequest) -> Parsed<v1::GetDossierResponse> {
        let agency = self.known(parse::agency(&r.agency, "agency")?, "agency")?;
        let id = self.track(&agency, parse::dossier(r.dossier)?).await?;
        let dossier = self.look(agency, move |state| {
            state.track(&id).map(|t| shape::dossier(state, &id, t)).ok_or(Reason::DossierNotFound)
        });
        Ok(v1::GetDossierResponse { dossier: Some(dossier.await?) })
    }
}

#[tonic::async_trait]
impl DossierService for Desk {
    type ExportTrailStream = trail::Pieces;
    type PerformActsStream = perform::Answers;
    type WatchInboxStream = inbox::Events;

    async fn submit_dossier(
        &self,
        r: Request<v1::SubmitDossierRequest>,
    ) -> Answer<v1::SubmitDossierResponse> {
        answer(self.submit(r.into_inner()).await)
    }

    async fn get_dossier(&self, r: Request<v1::GetDossierRequest>) -> Answer<v1::GetDossierResponse> {
        answer(self.get(r.into_inner()).await)
    }

    async fn list_dossiers(&self, r: Request<v1::ListDossiersRequest>) -> Answer<v1::ListDossiersResponse> {
        answer(lists::dossiers(self, r.into_inner()).await)
    }

    async fn offer_hand_off(&self, r: Request<v1::OfferHandOffRequest>) -> Answer<v1::OfferHandOffResponse> {
        answer(self.offer(r.into_inner()).await)
    }

    async fn accept_hand_off(
        &self,
        r: Request<v1::AcceptHandOffRequest>,
    ) -> Answer<v1::AcceptHandOffResponse> {
        answer(self.accept(r.into_inner()).await)
    }

    async fn refuse_hand_off(
        &self,
        r: Request<v1::RefuseHandOffRequest>,
    ) -> Answer<v1::RefuseHandOffResponse> {
        answer(self.refuse(r.into_inner()).await)
    }

    async fn recall_hand_off(
        &self,
        r: Request<v1::RecallHandOffRequest>,
    ) -> Answer<v1::RecallHandOffResponse> {
        answer(self.recall(r.into_inner()).await)
    }

    async fn add_note(&self, r: Request<v1::AddNoteRequest>) -> Answer<v1::AddNoteResponse> {
        answer(self.note(r.into_inner()).await)
    }

    async fn complete_dossier(
        &self,
        r: Request<v1::CompleteDossierRequest>,
    ) -> Answer<v1::CompleteDossierResponse> {
        answer(self.complete(r.into_inner()).await)
    }

    async fn return_result(&self, r: Request<v1::ReturnResultRequest>) -> Answer<v1::ReturnResultResponse> {
        answer(Desk::return_result(self, r.into_inner()).await)
    }

    async fn get_trail(&self, r: Request<v1::GetTrailRequest>) -> Answer<v1::GetTrailResponse> {
        answer(trail::get(self, r.into_inner()).await)
    }

    async fn read_content(&self, r: Request<v1::ReadContentRequest>) -> Answer<v1::ReadContentResponse> {
        answer(trail::read_content(self, r.into_inner()).await)
    }

    async fn export_trail(&self, r: Request<v1::ExportTrailRequest>) -> Answer<Self::ExportTrailStream> {
        let mut r = r.into_inner();
        let acting = self.acting(&mut r.act);
        answer(match acting {
            Ok(acting) => trail::export(self, acting, r).await,
            Err(refusal) => Err(refusal),
        })
    }

    async fn perform_acts(
        &self,
        r: Request<Streaming<v1::PerformActsRequest>>,
    ) -> Answer<Self::PerformActsStream> {
        answer(Ok(perform::perform(self, r.into_inner())))
    }

    async fn list_inbox(&self, r: Request<v1::ListInboxRequest>) -> Answer<v1::ListInboxResponse> {
        answer(inbox::list(self, r.into_inner()).await)
    }

    async fn watch_inbox(&self, r: Request<v1::WatchInboxRequest>) -> Answer<Self::WatchInboxStream> {
        answer(inbox::watch(self, r.into_inner()).await)
    }
}
