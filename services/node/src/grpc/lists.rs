//! Lists of dossiers, from the queues and off the loop.

use super::desk::Desk;
use super::inbox::broken;
use super::parse::{self, Parsed};
use super::refusal::Refusal;
use crate::engine::rows;
use lienthong_core::ids::AgencyId;
use lienthong_core::reason::Reason;
use lienthong_proto::v1;
use lienthong_store::queues::{Queues, QueuesError, Table};
use prost::Message;

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
    let queues = desk.records.queues.clone();
    match tokio::task::spawn_blocking(move || query.run(&queues)).await {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_) => Err(Reason::ShuttingDown.into()),
    }
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
    fn run(&self, queues: &Queues) -> Result<v1::ListDossiersResponse, QueuesError> {
        let mut page = v1::ListDossiersResponse::default();
        let (first, mut after) = self.after.map_or((0, None), |(n, last)| (n, Some(last)));
        let mut budget = LOOKED_AT;
        for n in first..self.phases.len().max(1) {
            while let Some(numbers) = self.numbers(queues, n, after, budget)? {
                budget -= numbers.len();
                for number in numbers {
                    after = Some(number);
                    self.add(queues, number, &mut page)?;
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

    /// The next dossiers of the n-th phase, or of all; `None` at the end.
    fn numbers(
        &self,
        queues: &Queues,
        n: usize,
        after: Option<u64>,
        budget: usize,
    ) -> Result<Option<Vec<u64>>, QueuesError> {
        let (table, prefix) = match self.phases.get(n) {
            Some(phase) => (Table::States, rows::phase_prefix(&self.agency, *phase)),
            None => (Table::Dossiers, rows::of_agency(&self.agency)),
        };
        let start = after.map(|last| [&prefix[..], &last.to_be_bytes()].concat());
        let found = queues.scan(table, &prefix, start.as_deref(), budget.min(self.size))?;
        let number =
            |(key, _): (Vec<u8>, Vec<u8>)| key[prefix.len()..].try_into().ok().map(u64::from_be_bytes);
        let numbers: Vec<u64> = found.into_iter().filter_map(number).collect();
        Ok((!numbers.is_empty()).then_some(numbers))
    }

    fn add(
        &self,
        queues: &Queues,
        number: u64,
        page: &mut v1::ListDossiersResponse,
    ) -> Result<(), QueuesError> {
        let row = queues.get(Table::Dossiers, &rows::record_key(&self.agency, number))?;
        let dossier = row.and_then(|bytes| v1::Dossier::decode(&bytes[..]).ok());
        page.dossiers
            .extend(dossier.filter(|d| self.procedure.is_empty() || d.procedure_code == self.procedure));
        Ok(())
    }
}
