//! Lists of dossiers, by number.

use super::desk::Desk;
use super::inbox::broken;
use super::parse::{self, Parsed};
use super::refusal::Refusal;
use super::shape;
use crate::engine::rows;
use lienthong_core::custody::state::State;
use lienthong_core::ids::{AgencyId, TrackId};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_store::queues::Table;

/// Rows looked at for one page: bounds the work of one call, so a filtered page may be short.
const LOOKED_AT: usize = 2_000;

struct Query {
    agency: AgencyId,
    /// None: any.
    phases: Vec<v1::Phase>,
    procedure: String,
    size: usize,
    after: Option<(usize, u64)>,
}

/// `ListDossiers`.
pub(crate) async fn dossiers(desk: &Desk, r: v1::ListDossiersRequest) -> Parsed<v1::ListDossiersResponse> {
    let agency = desk.known(parse::agency(&r.agency, "agency")?, "agency")?;
    desk.look(agency.clone(), |_| Ok(())).await?;
    let mut phases = Vec::new();
    for number in &r.phases {
        match v1::Phase::try_from(*number) {
            Ok(phase) if phase != v1::Phase::Unspecified => phases.push(phase),
            _ => return Err(Refusal::field(Reason::BadChoice, "phases")),
        }
    }
    phases.sort_unstable();
    phases.dedup();
    let query = Query {
        agency,
        after: token(&r.page_token, phases.len())?,
        phases,
        procedure: if r.procedure_code.is_empty() {
            String::new()
        } else {
            parse::procedure(r.procedure_code)?
        },
        size: parse::page_size(r.page_size)?,
    };
    desk.queues_level().await?;
    query.run(desk).await
}

/// A page token is the place of the phase in the query and the number of the last dossier seen.
fn token(text: &str, phases: usize) -> Parsed<Option<(usize, u64)>> {
    if text.is_empty() {
        return Ok(None);
    }
    let parts = text.split_once('.').and_then(|(n, last)| Some((n.parse().ok()?, last.parse().ok()?)));
    match parts {
        Some((n, last)) if n < phases.max(1) => Ok(Some((n, last))),
        _ => Err(Refusal::field(Reason::BadCursor, "page_token")),
    }
}

impl Query {
    async fn run(&self, desk: &Desk) -> Parsed<v1::ListDossiersResponse> {
        let mut page = v1::ListDossiersResponse::default();
        let (first, mut after) = self.after.map_or((0, None), |(n, last)| (n, Some(last)));
        let mut budget = LOOKED_AT;
        for n in first..self.phases.len().max(1) {
            while let Some(found) = self.found(desk, n, after, budget).await? {
                budget -= found.len();
                for (number, dossier) in found {
                    after = Some(number);
                    page.dossiers.extend(dossier);
                    if page.dossiers.len() == self.size {
                        page.next_page_token = format!("{n}.{number}");
                        return Ok(page);
                    }
                }
                if budget == 0 {
                    page.next_page_token = after.map_or_else(String::new, |last| format!("{n}.{last}"));
                    return Ok(page);
                }
            }
            after = None;
        }
        Ok(page)
    }

    /// The next dossiers of the n-th phase, or of all, and those of them that are asked for; `None` at the end.
    async fn found(
        &self,
        desk: &Desk,
        n: usize,
        after: Option<u64>,
        budget: usize,
    ) -> Parsed<Option<Vec<(u64, Option<v1::Dossier>)>>> {
        let (phase, limit) = (self.phases.get(n).copied(), budget.min(self.size));
        // Open ones are listed by phase; of the others the queues tell which there are, off the loop.
        let open = phase.filter(|phase| *phase != v1::Phase::Closed);
        let all = if open.is_some() {
            Vec::new()
        } else {
            let (queues, agency, from) =
                (desk.records.queues.clone(), self.agency.clone(), rows::next(after));
            let all = move || rows::numbered(&queues, Table::Dossiers, &agency, from, limit);
            let all = tokio::task::spawn_blocking(all).await.map_err(|_| Reason::ShuttingDown)?;
            all.map_err(|error| broken(&error))?
        };
        let (agency, procedure) = (self.agency.clone(), self.procedure.clone());
        let shown = desk.look_at_hosts(move |hosts| {
            let host = hosts.get(&agency)?;
            let ids = match open {
                Some(phase) => host.phases.after(phase, after).take(limit).collect(),
                None => all,
            };
            let shown = |(number, id)| (number, shown(host.node.state(), &id, phase, &procedure));
            Some(ids.into_iter().map(shown).collect::<Vec<_>>())
        });
        let shown = shown.await?.ok_or(Reason::AgencyNotHosted)?;
        Ok((!shown.is_empty()).then_some(shown))
    }
}

/// A dossier, if it is asked for.
fn shown(state: &State, id: &TrackId, phase: Option<v1::Phase>, procedure: &str) -> Option<v1::Dossier> {
    let kept = state.tracks.kept(id)?;
    let track = kept.read();
    let is_asked_for = phase.is_none_or(|phase| shape::phase(track.phase, track.returned.is_some()) == phase)
        && (procedure.is_empty() || *track.procedure == *procedure);
    is_asked_for.then(|| shape::dossier(state, id, &track))
}
