//! Lists of dossiers: which there are tell the queues, off the loop.

use super::desk::Desk;
use super::inbox::broken;
use super::parse::{self, Parsed};
use super::refusal::Refusal;
use super::shape;
use crate::engine::rows;
use lienthong_core::ids::{AgencyId, TrackId};
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_store::queues::{Queues, QueuesError, Table};

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

    /// The next dossiers of the n-th phase, or of all, and those of them that are asked for; `None` at the end. The queues tell
    /// which there are, off the loop; the loop, what they are.
    async fn found(
        &self,
        desk: &Desk,
        n: usize,
        after: Option<u64>,
        budget: usize,
    ) -> Parsed<Option<Vec<(u64, Option<v1::Dossier>)>>> {
        let (queues, agency) = (desk.records.queues.clone(), self.agency.clone());
        let (phase, limit) = (self.phases.get(n).copied(), budget.min(self.size));
        let ids = tokio::task::spawn_blocking(move || ids(&queues, &agency, phase, after, limit)).await;
        let ids = ids.map_err(|_| Reason::ShuttingDown)?.map_err(|error| broken(&error))?;
        if ids.is_empty() {
            return Ok(None);
        }
        let procedure = self.procedure.clone();
        let shown = desk.look(self.agency.clone(), move |state| {
            let of = |id| {
                let kept = state.tracks.kept(&id)?;
                let dossier = shape::dossier(state, &id, &kept.read());
                // It may have changed since its row was written.
                let is_asked_for = phase.is_none_or(|phase| dossier.phase() == phase)
                    && (procedure.is_empty() || dossier.procedure_code == procedure);
                is_asked_for.then_some(dossier)
            };
            Ok(ids.into_iter().map(|(number, id)| (number, id.and_then(of))).collect())
        });
        Ok(Some(shown.await?))
    }
}

/// Numbers and ids of the next dossiers in a phase, or of all.
fn ids(
    queues: &Queues,
    agency: &AgencyId,
    phase: Option<v1::Phase>,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, Option<TrackId>)>, QueuesError> {
    let (table, prefix) = match phase {
        Some(phase) => (Table::States, rows::phase_prefix(agency, phase)),
        None => (Table::Dossiers, rows::of_agency(agency)),
    };
    let start = after.map(|last| [&prefix[..], &last.to_be_bytes()].concat());
    let mut found = Vec::new();
    for (key, value) in queues.scan(table, &prefix, start.as_deref(), limit)? {
        let Some(number) = key[prefix.len()..].try_into().ok().map(u64::from_be_bytes) else { continue };
        let row = match phase {
            Some(_) => queues.get(Table::Dossiers, &rows::record_key(agency, number))?,
            None => Some(value),
        };
        found.push((number, row.and_then(|row| rows::dossier_of(&row))));
    }
    Ok(found)
}
