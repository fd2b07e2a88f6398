//! What a `dev` province shows in the end: one control sheet, the verdict on its evidence, who holds what, what to try.

use anyhow::Context;
use lienthong_proto::v1::{Act, Dossier, GetTrailRequest, ListDossiersRequest, Officer, Phase};

use super::folder::Folder;
use crate::client::{Client, dossier_ref, random_hex};
use crate::failure::Refusal;
use crate::names::Names;
use crate::{Outcome, control_sheet, status, trail};

/// Dossiers of one page, and pages of one agency that are searched for the longest trail.
const PAGE: i32 = 200;
const PAGES: usize = 5;
/// Bytes of randomness in an idempotency key.
const KEY_BYTES: usize = 12;

/// Shows it. Faulty when the evidence does not hold.
pub(super) async fn show(
    client: &Client,
    folder: &Folder,
    names: &Names,
    url: &str,
) -> anyhow::Result<Outcome> {
    let state = status::ask(client).await?;
    let agencies: Vec<_> = state.agencies.iter().map(|agency| agency.agency.clone()).collect();
    let mut outcome = Outcome::Fine;
    let longest = longest(client, &agencies).await?;
    if let Some((agency, dossier)) = &longest {
        outcome = prove(client, folder, names, agency, dossier).await?;
    }
    println!("\nCơ quan nào giữ gì / what each agency holds");
    status::agencies(&state);
    next(folder, url, longest.as_ref());
    Ok(outcome)
}

/// The dossier that was handed over most often, at its custodian, who has its whole trail.
async fn longest(client: &Client, agencies: &[String]) -> anyhow::Result<Option<(String, Dossier)>> {
    let mut longest: Option<(String, Dossier)> = None;
    for agency in agencies {
        let mut token = String::new();
        for _ in 0..PAGES {
            let request = ListDossiersRequest {
                agency: agency.clone(),
                page_size: PAGE,
                page_token: token,
                phases: [Phase::Held, Phase::Offered, Phase::Closed].map(|phase| phase as i32).to_vec(),
                procedure_code: String::new(),
            };
            let page = client.dossiers().list_dossiers(request).await.map_err(Refusal::from)?.into_inner();
            for dossier in page.dossiers.into_iter().filter(|dossier| dossier.custodian == *agency) {
                if longest.as_ref().is_none_or(|(_, best)| dossier.hops > best.hops) {
                    longest = Some((agency.clone(), dossier));
                }
            }
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
    }
    Ok(longest)
}

async fn prove(
    client: &Client,
    folder: &Folder,
    names: &Names,
    agency: &str,
    dossier: &Dossier,
) -> anyhow::Result<Outcome> {
    let request = GetTrailRequest { agency: agency.to_owned(), dossier: Some(dossier_ref(&dossier.id)) };
    let entries = client.dossiers().get_trail(request).await.map_err(Refusal::from)?.into_inner();
    println!("\n{}", control_sheet::render(&entries, names));
    let act = Act {
        agency: agency.to_owned(),
        idempotency_key: format!("dev-{}", random_hex(KEY_BYTES)?),
        officer: Some(Officer { id: "dev".to_owned(), name: "lienthong dev".to_owned() }),
    };
    let file = folder.evidence(&dossier.code)?;
    trail::export::to_file(client, act, &dossier.id, &file).await?;
    let directory = folder.directory();
    let trusted =
        std::fs::read_to_string(&directory).with_context(|| format!("read {}", directory.display()))?;
    let (verdict, names) = trail::verify::check(trail::verify::read(&file)?, Some(&trusted))?;
    println!("Chứng cứ / evidence: {}", file.display());
    trail::verify::print(&verdict, &names);
    Ok(if verdict.is_ok() { Outcome::Fine } else { Outcome::Faulty })
}

fn next(folder: &Folder, url: &str, longest: Option<&(String, Dossier)>) {
    let me = std::env::args().next().unwrap_or_else(|| "lienthong".to_owned());
    let directory = folder.directory();
    let directory = directory.display();
    println!("\nThử tiếp / try next");
    println!("  export LIENTHONG_NODE={url} LIENTHONG_DIRECTORY={directory}");
    println!("  {me} status");
    println!("  {me} dossier inbox --as huyen-cu-lao-dung --undecided");
    if let Some((agency, dossier)) = longest {
        println!("  {me} dossier list --as {agency}");
        println!("  {me} dossier trail {} --as {agency}", dossier.code);
    }
    println!("  {me} dossier --help");
    println!("Sau khi dừng / after stopping\n  {me} ledger verify {}", folder.node().display());
}
