//! The commands that only look.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use lienthong_proto::v1::{GetDossierRequest, GetTrailRequest, ListDossiersRequest, ListInboxRequest, Phase};

use super::show;
use crate::client::{As, Client, dossier_ref};
use crate::failure::Refusal;
use crate::names::Names;
use crate::{control_sheet, json};

/// `show`
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    who: As,
    /// Dossier code or id
    dossier: String,
}

/// `list`
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    who: As,
    /// Only dossiers in this phase; may be repeated
    #[arg(long)]
    phase: Vec<PhaseWord>,
    /// Only dossiers of this procedure code
    #[arg(long, value_name = "CODE", default_value = "")]
    procedure: String,
    /// Dossiers on one page
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=200))]
    page_size: i32,
    /// Go on where an earlier page ended
    #[arg(long, value_name = "TOKEN", default_value = "")]
    page_token: String,
}

/// `trail`
#[derive(Debug, clap::Args)]
pub(super) struct Trail {
    #[command(flatten)]
    who: As,
    /// Dossier code or id
    dossier: String,
    /// Take the names of agencies from this directory file instead of the node
    #[arg(long, value_name = "FILE", env = "LIENTHONG_DIRECTORY")]
    directory: Option<PathBuf>,
}

/// `inbox`
#[derive(Debug, clap::Args)]
pub(super) struct Inbox {
    #[command(flatten)]
    who: As,
    /// Only what came after this cursor
    #[arg(long, value_name = "CURSOR")]
    after: Option<u64>,
    /// Only offers that wait for the agency's decision
    #[arg(long)]
    undecided: bool,
    /// Events on one page
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(i32).range(1..=200))]
    page_size: i32,
}

/// Phases on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PhaseWord {
    /// Known only as a copy
    Followed,
    /// The agency is the custodian
    Held,
    /// Offered to another agency, not yet decided
    Offered,
    /// Offered to the agency, waiting for its decision
    Inbox,
    /// Handed over
    Gone,
    /// Refused by the agency
    Out,
    /// The result was returned
    Closed,
}

impl From<PhaseWord> for Phase {
    fn from(word: PhaseWord) -> Self {
        match word {
            PhaseWord::Followed => Phase::Followed,
            PhaseWord::Held => Phase::Held,
            PhaseWord::Offered => Phase::Offered,
            PhaseWord::Inbox => Phase::Inbox,
            PhaseWord::Gone => Phase::Gone,
            PhaseWord::Out => Phase::Out,
            PhaseWord::Closed => Phase::Closed,
        }
    }
}

pub(super) async fn show(client: &Client, args: Show, json: bool) -> anyhow::Result<()> {
    let request =
        GetDossierRequest { agency: args.who.agency.clone(), dossier: Some(dossier_ref(&args.dossier)) };
    let answer = client.dossiers().get_dossier(request).await.map_err(Refusal::from)?.into_inner();
    let dossier = answer.dossier.context("the node's answer holds no dossier")?;
    if json {
        return json::print("Dossier", &dossier);
    }
    show::dossier(&dossier, &Names::from_node(client, &args.who.agency).await);
    Ok(())
}

pub(super) async fn list(client: &Client, args: List, json: bool) -> anyhow::Result<()> {
    let request = ListDossiersRequest {
        agency: args.who.agency.clone(),
        page_size: args.page_size,
        page_token: args.page_token,
        phases: args.phase.into_iter().map(|phase| Phase::from(phase) as i32).collect(),
        procedure_code: args.procedure,
    };
    let page = client.dossiers().list_dossiers(request).await.map_err(Refusal::from)?.into_inner();
    if json {
        return json::print("ListDossiersResponse", &page);
    }
    show::dossiers(&page.dossiers, &Names::from_node(client, &args.who.agency).await);
    if !page.next_page_token.is_empty() {
        println!("Còn nữa / more: --page-token {}", page.next_page_token);
    }
    Ok(())
}

pub(super) async fn trail(client: &Client, args: Trail, json: bool) -> anyhow::Result<()> {
    let request =
        GetTrailRequest { agency: args.who.agency.clone(), dossier: Some(dossier_ref(&args.dossier)) };
    let trail = client.dossiers().get_trail(request).await.map_err(Refusal::from)?.into_inner();
    if json {
        return json::print("GetTrailResponse", &trail);
    }
    let names = Names::of(client, &args.who.agency, args.directory.as_deref()).await?;
    print!("{}", control_sheet::render(&trail, &names));
    Ok(())
}

pub(super) async fn inbox(client: &Client, args: Inbox, json: bool) -> anyhow::Result<()> {
    let request = ListInboxRequest {
        agency: args.who.agency.clone(),
        after: args.after,
        page_size: args.page_size,
        undecided_only: args.undecided,
    };
    let page = client.dossiers().list_inbox(request).await.map_err(Refusal::from)?.into_inner();
    if json {
        return json::print("ListInboxResponse", &page);
    }
    let names = Names::from_node(client, &args.who.agency).await;
    let mut table = show::table(["Con trỏ", "Thời gian", "Việc", "Mã hồ sơ", "Từ"]);
    page.events.iter().for_each(|event| {
        table.add_row(show::event(event, &names));
    });
    println!("{table}");
    if page.more {
        println!("Còn nữa / more: --after {}", page.next_after);
    }
    Ok(())
}
