//! Officers of one agency and an operator, as gRPC clients.

use std::time::Duration;

use lienthong_proto::v1;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_proto::v1::node_service_client::NodeServiceClient;
use tonic::Status;
use tonic::transport::Channel;

use crate::wait::{BOUND, Patience};

/// Largest page of a list.
const PAGE: i32 = 200;

/// The desk of one agency.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The agency.
    pub agency: String,
    /// For calls that have no helper here.
    pub client: DossierServiceClient<Channel>,
}

/// A dossier named by its id.
pub fn ref_id(id: &str) -> Option<v1::DossierRef> {
    Some(v1::DossierRef { by: Some(v1::dossier_ref::By::Id(id.to_owned())) })
}

/// A dossier named by its code.
pub fn ref_code(code: &str) -> Option<v1::DossierRef> {
    Some(v1::DossierRef { by: Some(v1::dossier_ref::By::Code(code.to_owned())) })
}

/// What every answer to a changing call carries.
fn done(done: Option<v1::Done>) -> Result<v1::Done, Status> {
    done.ok_or_else(|| Status::data_loss("an answer without `done`"))
}

impl Desk {
    pub(crate) fn new(agency: &str, channel: Channel) -> Self {
        let client = DossierServiceClient::new(channel).max_decoding_message_size(16 << 20);
        Self { agency: agency.to_owned(), client }
    }

    /// Who acts, under this idempotency key.
    pub fn act(&self, key: &str) -> Option<v1::Act> {
        let officer = v1::Officer { id: "cb01".to_owned(), name: "Nguyễn Văn Thử".to_owned() };
        Some(v1::Act { agency: self.agency.clone(), idempotency_key: key.to_owned(), officer: Some(officer) })
    }

    /// Takes a dossier in, with this content.
    pub async fn submit(&self, key: &str, content: &[u8]) -> Result<v1::Done, Status> {
        let request = v1::SubmitDossierRequest {
            act: self.act(key),
            procedure_code: "1.001193".to_owned(),
            procedure_version: 1,
            channel: v1::Channel::Counter as i32,
            content: content.to_vec().into(),
            ..Default::default()
        };
        done(self.client.clone().submit_dossier(request).await?.into_inner().done)
    }

    /// Offers a dossier and answers when it is durable here.
    pub async fn offer(&self, key: &str, id: &str, to: &str) -> Result<v1::OfferHandOffResponse, Status> {
        self.offer_until(key, id, to, v1::AckLevel::Stored, 0).await
    }

    /// Offers a dossier and waits for a level, at most so long.
    pub async fn offer_until(
        &self,
        key: &str,
        id: &str,
        to: &str,
        wait_for: v1::AckLevel,
        wait_ms: u32,
    ) -> Result<v1::OfferHandOffResponse, Status> {
        let request = v1::OfferHandOffRequest {
            act: self.act(key),
            dossier: ref_id(id),
            to: to.to_owned(),
            kind: v1::HandOffKind::Forward as i32,
            step: "thẩm định".to_owned(),
            wait_for: wait_for as i32,
            wait_ms,
            ..Default::default()
        };
        Ok(self.client.clone().offer_hand_off(request).await?.into_inner())
    }

    /// Signs for the open offer of a dossier.
    pub async fn accept(&self, key: &str, id: &str) -> Result<v1::Done, Status> {
        let request =
            v1::AcceptHandOffRequest { act: self.act(key), dossier: ref_id(id), ..Default::default() };
        done(self.client.clone().accept_hand_off(request).await?.into_inner().done)
    }

    /// Refuses the open offer of a dossier.
    pub async fn refuse(&self, key: &str, id: &str, reason: &str) -> Result<v1::Done, Status> {
        let request = v1::RefuseHandOffRequest {
            act: self.act(key),
            dossier: ref_id(id),
            hand_off_id: String::new(),
            reason: reason.to_owned(),
        };
        done(self.client.clone().refuse_hand_off(request).await?.into_inner().done)
    }

    /// Asks for an offered dossier back.
    pub async fn recall(&self, key: &str, id: &str, reason: &str) -> Result<v1::Done, Status> {
        let (act, dossier, reason) = (self.act(key), ref_id(id), reason.to_owned());
        let request = v1::RecallHandOffRequest { act, dossier, reason };
        done(self.client.clone().recall_hand_off(request).await?.into_inner().done)
    }

    /// Says that the work is done.
    pub async fn complete(&self, key: &str, id: &str) -> Result<v1::Done, Status> {
        let request = v1::CompleteDossierRequest {
            act: self.act(key),
            dossier: ref_id(id),
            resolution: v1::Resolution::Resolved as i32,
            note: String::new(),
        };
        done(self.client.clone().complete_dossier(request).await?.into_inner().done)
    }

    /// Returns the result, which closes the dossier.
    pub async fn return_result(&self, key: &str, id: &str) -> Result<v1::Done, Status> {
        let request = v1::ReturnResultRequest {
            act: self.act(key),
            dossier: ref_id(id),
            channel: v1::Channel::Counter as i32,
            note: String::new(),
        };
        done(self.client.clone().return_result(request).await?.into_inner().done)
    }

    /// One dossier as this agency sees it.
    pub async fn get(&self, id: &str) -> Result<v1::Dossier, Status> {
        let request = v1::GetDossierRequest { agency: self.agency.clone(), dossier: ref_id(id) };
        let dossier = self.client.clone().get_dossier(request).await?.into_inner().dossier;
        dossier.ok_or_else(|| Status::data_loss("an answer without a dossier"))
    }

    /// The trail of a dossier.
    pub async fn trail(&self, id: &str) -> Result<v1::GetTrailResponse, Status> {
        let request = v1::GetTrailRequest { agency: self.agency.clone(), dossier: ref_id(id) };
        Ok(self.client.clone().get_trail(request).await?.into_inner())
    }

    /// The content of a dossier.
    pub async fn content(&self, id: &str) -> Result<Option<v1::Content>, Status> {
        let request = v1::ReadContentRequest {
            agency: self.agency.clone(),
            dossier: ref_id(id),
            officer: self.act("x").and_then(|act| act.officer),
            purpose: "giải quyết hồ sơ".to_owned(),
        };
        Ok(self.client.clone().read_content(request).await?.into_inner().content)
    }

    /// The evidence file of a dossier's trail.
    pub async fn export(&self, key: &str, id: &str) -> Result<Vec<u8>, Status> {
        let request = v1::ExportTrailRequest { act: self.act(key), dossier: ref_id(id) };
        let mut pieces = self.client.clone().export_trail(request).await?.into_inner();
        let mut file = Vec::new();
        while let Some(piece) = pieces.message().await? {
            file.extend_from_slice(&piece.piece);
        }
        Ok(file)
    }

    /// Every dossier that this agency knows.
    pub async fn list(&self) -> Result<Vec<v1::Dossier>, Status> {
        let mut all = Vec::new();
        let mut request =
            v1::ListDossiersRequest { agency: self.agency.clone(), page_size: PAGE, ..Default::default() };
        loop {
            let page = self.client.clone().list_dossiers(request.clone()).await?.into_inner();
            all.extend(page.dossiers);
            if page.next_page_token.is_empty() {
                return Ok(all);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Everything that ever came in.
    pub async fn inbox(&self) -> Result<Vec<v1::InboxEvent>, Status> {
        let mut all = Vec::new();
        let mut request =
            v1::ListInboxRequest { agency: self.agency.clone(), page_size: PAGE, ..Default::default() };
        loop {
            let page = self.client.clone().list_inbox(request.clone()).await?.into_inner();
            all.extend(page.events);
            if !page.more {
                return Ok(all);
            }
            request.after = Some(page.next_after);
        }
    }

    /// Waits until the dossier is in this phase here.
    pub async fn until(&self, id: &str, phase: v1::Phase) -> v1::Dossier {
        let mut patience = Patience::new(BOUND, format!("{id} is {phase:?} at {}", self.agency));
        loop {
            patience.look().await;
            match self.get(id).await {
                Ok(dossier) if dossier.phase() == phase => return dossier,
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// What an operator asks about one agency of a node.
#[derive(Clone, Debug)]
pub struct Ops {
    /// The agency.
    pub agency: String,
    /// For calls that have no helper here.
    pub client: NodeServiceClient<Channel>,
}

impl Ops {
    pub(crate) fn new(agency: &str, channel: Channel) -> Self {
        Self { agency: agency.to_owned(), client: NodeServiceClient::new(channel) }
    }

    /// The node's status.
    pub async fn status(&self) -> Result<v1::GetStatusResponse, Status> {
        Ok(self.client.clone().get_status(v1::GetStatusRequest {}).await?.into_inner())
    }

    /// What the status says of this agency.
    pub async fn agency(&self) -> Result<v1::AgencyStatus, Status> {
        let mine = self.status().await?.agencies.into_iter().find(|a| a.agency == self.agency);
        mine.ok_or_else(|| Status::not_found("the node does not host this agency"))
    }

    /// What waits for each peer.
    pub async fn peers(&self) -> Result<Vec<v1::Peer>, Status> {
        let request = v1::ListPeersRequest { agency: self.agency.clone() };
        Ok(self.client.clone().list_peers(request).await?.into_inner().peers)
    }

    /// The first page of the outbox.
    pub async fn outbox(&self) -> Result<Vec<v1::OutboxRow>, Status> {
        let request =
            v1::ListOutboxRequest { agency: self.agency.clone(), page_size: PAGE, ..Default::default() };
        Ok(self.client.clone().list_outbox(request).await?.into_inner().rows)
    }

    /// The first page of what could not be processed.
    pub async fn quarantine(&self) -> Result<Vec<v1::QuarantinedEnvelope>, Status> {
        let request =
            v1::ListQuarantineRequest { agency: self.agency.clone(), page_size: PAGE, ..Default::default() };
        Ok(self.client.clone().list_quarantine(request).await?.into_inner().envelopes)
    }

    /// Waits until nothing waits to leave.
    pub async fn until_outbox_empty(&self) {
        self.until_outbox_empty_within(BOUND).await;
    }

    /// The same with a bound of its own.
    pub async fn until_outbox_empty_within(&self, bound: Duration) {
        let mut patience = Patience::new(bound, format!("the outbox of {} is empty", self.agency));
        loop {
            patience.look().await;
            if self.agency().await.is_ok_and(|agency| agency.outbox == 0) {
                return;
            }
        }
    }
}
