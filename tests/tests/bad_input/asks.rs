//! Every request of the contract as one type, so that a table can hold them.

use lienthong_proto::v1;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_proto::v1::node_service_client::NodeServiceClient;
use lienthong_tests::ref_id;
use tonic::Status;
use tonic::transport::Channel;

/// Calls a method. Of a stream only the beginning is of interest: refusals come there.
macro_rules! asks {
    ($($service:ident { $($variant:ident($request:ty) = $method:ident),* $(,)? })*) => {
        /// A request.
        #[derive(Clone, Debug)]
        pub(crate) enum Ask {
            $($($variant($request),)*)*
        }

        $($(impl From<$request> for Ask {
            fn from(request: $request) -> Self {
                Ask::$variant(request)
            }
        })*)*

        /// The answer to a request: done, or refused.
        pub(crate) async fn ask(channel: &Channel, ask: Ask) -> Result<(), Status> {
            match ask {
                $($(Ask::$variant(request) => {
                    $service::new(channel.clone()).$method(request).await.map(|_| ())
                })*)*
            }
        }
    };
}

asks! {
    DossierServiceClient {
        Submit(v1::SubmitDossierRequest) = submit_dossier,
        Get(v1::GetDossierRequest) = get_dossier,
        List(v1::ListDossiersRequest) = list_dossiers,
        Offer(v1::OfferHandOffRequest) = offer_hand_off,
        Accept(v1::AcceptHandOffRequest) = accept_hand_off,
        Refuse(v1::RefuseHandOffRequest) = refuse_hand_off,
        Recall(v1::RecallHandOffRequest) = recall_hand_off,
        Note(v1::AddNoteRequest) = add_note,
        Complete(v1::CompleteDossierRequest) = complete_dossier,
        Return(v1::ReturnResultRequest) = return_result,
        Trail(v1::GetTrailRequest) = get_trail,
        Read(v1::ReadContentRequest) = read_content,
        Export(v1::ExportTrailRequest) = export_trail,
        Inbox(v1::ListInboxRequest) = list_inbox,
        Watch(v1::WatchInboxRequest) = watch_inbox,
    }
    NodeServiceClient {
        Peers(v1::ListPeersRequest) = list_peers,
        Outbox(v1::ListOutboxRequest) = list_outbox,
        Quarantine(v1::ListQuarantineRequest) = list_quarantine,
    }
}

/// An officer.
pub(crate) fn officer() -> v1::Officer {
    v1::Officer { id: "cb01".into(), name: "Nguyễn Văn Thử".into() }
}

/// Who acts.
pub(crate) fn act(agency: &str, key: &str) -> v1::Act {
    v1::Act { agency: agency.into(), idempotency_key: key.into(), officer: Some(officer()) }
}

/// A good intake.
pub(crate) fn submit(act: v1::Act) -> v1::SubmitDossierRequest {
    v1::SubmitDossierRequest {
        act: Some(act),
        procedure_code: "1.001193".into(),
        procedure_version: 1,
        channel: v1::Channel::Counter as i32,
        content: "Tờ khai".into(),
        ..Default::default()
    }
}

/// A good offer.
pub(crate) fn offer(act: v1::Act, id: &str, to: &str) -> v1::OfferHandOffRequest {
    v1::OfferHandOffRequest {
        act: Some(act),
        dossier: ref_id(id),
        to: to.into(),
        kind: v1::HandOffKind::Forward as i32,
        ..Default::default()
    }
}

/// Every changing request about a dossier but the intake, good but for who acts and what about.
pub(crate) fn changes(act: Option<v1::Act>, dossier: Option<v1::DossierRef>) -> Vec<Ask> {
    let (reason, channel) = ("Lý do".to_owned(), v1::Channel::Counter as i32);
    vec![
        v1::OfferHandOffRequest {
            act: act.clone(),
            dossier: dossier.clone(),
            ..offer(v1::Act::default(), "", "huyen")
        }
        .into(),
        v1::AcceptHandOffRequest { act: act.clone(), dossier: dossier.clone(), ..Default::default() }.into(),
        v1::RefuseHandOffRequest {
            act: act.clone(),
            dossier: dossier.clone(),
            reason: reason.clone(),
            ..Default::default()
        }
        .into(),
        v1::RecallHandOffRequest { act: act.clone(), dossier: dossier.clone(), reason: reason.clone() }
            .into(),
        v1::AddNoteRequest { act: act.clone(), dossier: dossier.clone(), text: reason }.into(),
        v1::CompleteDossierRequest {
            act: act.clone(),
            dossier: dossier.clone(),
            resolution: v1::Resolution::Resolved as i32,
            ..Default::default()
        }
        .into(),
        v1::ReturnResultRequest { act: act.clone(), dossier: dossier.clone(), channel, ..Default::default() }
            .into(),
        v1::ExportTrailRequest { act, dossier }.into(),
    ]
}

/// Every reading request about a dossier.
pub(crate) fn looks(agency: &str, dossier: Option<v1::DossierRef>) -> Vec<Ask> {
    let agency = agency.to_owned();
    vec![
        v1::GetDossierRequest { agency: agency.clone(), dossier: dossier.clone() }.into(),
        v1::GetTrailRequest { agency: agency.clone(), dossier: dossier.clone() }.into(),
        v1::ReadContentRequest {
            agency, dossier, officer: Some(officer()), purpose: "giải quyết".into()
        }
        .into(),
    ]
}

/// Every listing request.
pub(crate) fn lists(agency: &str) -> Vec<Ask> {
    let agency = agency.to_owned();
    vec![
        v1::ListDossiersRequest { agency: agency.clone(), ..Default::default() }.into(),
        v1::ListInboxRequest { agency: agency.clone(), ..Default::default() }.into(),
        v1::WatchInboxRequest { agency: agency.clone(), after: None }.into(),
        v1::ListPeersRequest { agency: agency.clone() }.into(),
        v1::ListOutboxRequest { agency: agency.clone(), ..Default::default() }.into(),
        v1::ListQuarantineRequest { agency, ..Default::default() }.into(),
    ]
}
