//! Waits, within a bound, until an agency sees what an act needs.

use std::time::Duration;

use lienthong_core::reason::Reason;
use lienthong_proto::v1::dossier_service_client::DossierServiceClient;
use lienthong_proto::v1::{Dossier, GetDossierRequest, Phase};
use tonic::transport::Channel;

use super::request::reference;
use crate::failure::Refusal;

/// A hand-off on one machine takes milliseconds; on a loaded one, with NATS starting a new leader, seconds.
const WAIT: Duration = Duration::from_secs(20);
/// Between two looks: short beside an fsync, and it doubles, so that a long wait costs little.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const LAST_LOOK: Duration = Duration::from_millis(160);

/// Why a wait ended without what was waited for.
#[derive(Debug)]
pub(super) enum Failure {
    /// The bound is over; what was last seen.
    Over(String),
    /// The node refused to say.
    Refused(Box<Refusal>),
}

/// Waits until `good` holds for the dossier as `agency` sees it.
pub(super) async fn until(
    client: &mut DossierServiceClient<Channel>,
    agency: &str,
    id: &str,
    good: impl Fn(&Dossier) -> bool,
) -> Result<Dossier, Failure> {
    let deadline = tokio::time::Instant::now() + WAIT;
    let mut pause = FIRST_LOOK;
    loop {
        let seen = look(client, agency, id).await.map_err(Failure::Refused)?;
        match seen {
            Some(dossier) if good(&dossier) => return Ok(dossier),
            seen if tokio::time::Instant::now() >= deadline => {
                return Err(Failure::Over(describe(agency, seen)));
            }
            _ => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LAST_LOOK);
    }
}

/// The dossier as an agency sees it; none where it is not known (yet).
async fn look(
    client: &mut DossierServiceClient<Channel>,
    agency: &str,
    id: &str,
) -> Result<Option<Dossier>, Box<Refusal>> {
    let request = GetDossierRequest { agency: agency.to_owned(), dossier: Some(reference(id)) };
    match client.get_dossier(request).await {
        Ok(answer) => Ok(answer.into_inner().dossier),
        Err(status) => {
            let refusal = Refusal::from(status);
            // An agency that is not hosted here is NOT_FOUND too, and no waiting helps.
            if refusal.reason() == Some(Reason::DossierNotFound) { Ok(None) } else { Err(Box::new(refusal)) }
        }
    }
}

fn describe(agency: &str, seen: Option<Dossier>) -> String {
    match seen {
        None => format!("{agency} does not know the dossier"),
        Some(dossier) => {
            let phase = Phase::try_from(dossier.phase).unwrap_or_default().as_str_name();
            format!("{agency} sees {phase}, custodian {}, completed {}", dossier.custodian, dossier.completed)
        }
    }
}
