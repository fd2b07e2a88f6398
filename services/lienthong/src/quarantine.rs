//! `lienthong quarantine …`: what could not be processed, and what an officer does about it.

use clap::Subcommand;
use lienthong_proto::v1::{
    DiscardQuarantinedRequest, GetQuarantinedRequest, GetQuarantinedResponse, ListQuarantineRequest,
    ListQuarantineResponse, QuarantinedEnvelope, ReleaseQuarantinedRequest,
};

use crate::Outcome;
use crate::client::{Acting, As, Client, Door};
use crate::dossier::show::{lines, table};
use crate::failure::Refusal;
use crate::{json, time};

/// Largest page of a list.
const PAGE: i32 = 200;

/// `lienthong quarantine`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    door: Door,
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Everything that is kept: who sent it, when, and why it was not processed
    List(List),
    /// What one of them says of itself, and what processing it would come to now
    Show(Show),
    /// Process it again as if it came now (cho xử lý lại)
    Release(Settle),
    /// Leave it unprocessed (bỏ); who and why stays in the ledger
    Discard(Settle),
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    who: As,
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    who: As,
    /// Its number in the ledger
    number: u64,
}

#[derive(Debug, clap::Args)]
struct Settle {
    #[command(flatten)]
    acting: Acting,
    /// Its number in the ledger
    number: u64,
    /// Why; stays in the ledger
    #[arg(long)]
    why: String,
}

const EXAMPLES: &str = "\
Examples:
  lienthong quarantine list --as huyen-cu-lao-dung
  lienthong quarantine show 1207 --as huyen-cu-lao-dung
  lienthong quarantine release 1207 --as huyen-cu-lao-dung --why 'đã cập nhật danh bạ'
  lienthong quarantine discard 1207 --as huyen-cu-lao-dung --why 'gửi nhầm, đã xác nhận với xã'

What is released and refused again is kept again, under a new number.";

/// Runs one command.
pub(crate) async fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    let client = Client::connect(&args.door.node).await?;
    match args.deed {
        Deed::List(args) => list(&client, args, json).await?,
        Deed::Show(args) => show(&client, args, json).await?,
        Deed::Release(args) => return release(&client, args, json).await,
        Deed::Discard(args) => discard(&client, args, json).await?,
    }
    Ok(Outcome::Fine)
}

async fn list(client: &Client, args: List, json: bool) -> anyhow::Result<()> {
    let mut all: Vec<QuarantinedEnvelope> = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListQuarantineRequest { agency: args.who.agency.clone(), page_size: PAGE, page_token };
        let page = client.node().list_quarantine(request).await.map_err(Refusal::from)?.into_inner();
        all.extend(page.envelopes);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if json {
        return json::print(
            "ListQuarantineResponse",
            &ListQuarantineResponse { envelopes: all, next_page_token: String::new() },
        );
    }
    if all.is_empty() {
        println!("Không có gì bị cách ly / nothing is in quarantine");
        return Ok(());
    }
    let mut table = table(["Số", "Từ", "Lúc", "Lý do", "Byte"]);
    for kept in all {
        let (number, bytes) = (kept.ledger_index.to_string(), kept.length.to_string());
        table.add_row([number, kept.from, time::short(kept.at_ms), kept.reason_name, bytes]);
    }
    println!("{table}");
    Ok(())
}

async fn show(client: &Client, args: Show, json: bool) -> anyhow::Result<()> {
    let request = GetQuarantinedRequest { agency: args.who.agency, ledger_index: args.number };
    let told = client.node().get_quarantined(request).await.map_err(Refusal::from)?.into_inner();
    if json {
        return json::print("GetQuarantinedResponse", &told);
    }
    print(&told);
    Ok(())
}

fn print(told: &GetQuarantinedResponse) {
    let Some(kept) = &told.envelope else { return };
    let or_none = |text: &str| if text.is_empty() { "không đọc được / unreadable" } else { text }.to_owned();
    let now = match told.reason_now {
        0 => "đọc được / it can be read".to_owned(),
        _ => told.reason_now_name.clone(),
    };
    let whole = if told.whole { "" } else { " (không đủ / not all kept)" };
    println!("Gói tin / envelope {}", kept.ledger_index);
    lines(&[
        ("Từ / from", kept.from.clone()),
        ("Lúc / at", time::short(kept.at_ms)),
        ("Lý do / reason", kept.reason_name.clone()),
        ("Bây giờ / now", now),
        ("Byte / bytes", format!("{}{whole}", kept.length)),
        ("SHA-256", kept.sha256.clone()),
        ("Loại / type", or_none(&told.statement_type)),
        ("Chứng từ / statement", or_none(&told.statement_id)),
        ("Người lập / maker", or_none(&told.maker)),
        ("Hồ sơ / dossier", or_none(&told.dossier_id)),
        ("Chuỗi / certificate", told.certificate_statements.to_string()),
        ("Nội dung / content", format!("{} byte", told.content_bytes)),
    ]);
}

async fn release(client: &Client, args: Settle, json: bool) -> anyhow::Result<Outcome> {
    let act = args.acting.act()?;
    let key = act.idempotency_key.clone();
    let request = ReleaseQuarantinedRequest { act: Some(act), ledger_index: args.number, why: args.why };
    let told = client.node().release_quarantined(request).await.map_err(Refusal::from)?.into_inner();
    let outcome = if told.reason == 0 { Outcome::Fine } else { Outcome::Faulty };
    if json {
        json::print("ReleaseQuarantinedResponse", &told)?;
        return Ok(outcome);
    }
    let what = match (told.repeated_call, told.reason) {
        (true, _) => "Đã làm từ trước / done before".to_owned(),
        (false, 0) => "Đã cho xử lý lại / processed".to_owned(),
        (false, _) => format!("Lại bị cách ly / refused again: {}", told.reason_name),
    };
    println!("{what}");
    lines(&[("Sổ cái / ledger", told.ledger_index.to_string()), ("Khóa / key", key)]);
    Ok(outcome)
}

async fn discard(client: &Client, args: Settle, json: bool) -> anyhow::Result<()> {
    let act = args.acting.act()?;
    let key = act.idempotency_key.clone();
    let request = DiscardQuarantinedRequest { act: Some(act), ledger_index: args.number, why: args.why };
    let told = client.node().discard_quarantined(request).await.map_err(Refusal::from)?.into_inner();
    if json {
        return json::print("DiscardQuarantinedResponse", &told);
    }
    println!(
        "{}",
        if told.repeated_call {
            "Đã bỏ từ trước / discarded before"
        } else {
            "Đã bỏ / discarded"
        }
    );
    lines(&[("Sổ cái / ledger", told.ledger_index.to_string()), ("Khóa / key", key)]);
    Ok(())
}
