//! `lienthong authority …`: acts of the directory's authority, signed away from any node and brought to one.

mod before;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use lienthong_core::authority::{Retire, WHY_BYTES};
use lienthong_core::ids::{AgencyId, WallMs};
use lienthong_proto::v1::{ApplyActRequest, RetiredAgency};
use lienthong_wire::directory::DirectoryFile;
use lienthong_wire::{act, keys};

use crate::Outcome;
use crate::client::{Client, Door};
use crate::dossier::show::lines;
use crate::failure::Refusal;
use crate::names::shorten;
use crate::{json, time};

/// `lienthong authority`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    deed: Deed,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Sign an act: an agency is gone for good or merged into another, and nothing is awaited of it any more
    Retire(RetireArgs),
    /// Bring an act to a node; it tells its peers, and they theirs
    Apply(Apply),
}

/// `retire`
#[derive(Debug, clap::Args)]
struct RetireArgs {
    /// The agency, by its id in the directory
    #[arg(value_name = "AGENCY", value_parser = agency)]
    agency: AgencyId,
    /// Who takes over its work
    #[arg(long, value_name = "AGENCY", value_parser = agency)]
    successor: Option<AgencyId>,
    /// Why, such as the number of the resolution; stays in every ledger
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// A key of the directory's [authority]
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The directory
    #[arg(long, value_name = "FILE")]
    directory: PathBuf,
    /// The file to write; it must not exist. Acts about the same agency beside it count: there are four at the most
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `apply`
#[derive(Debug, clap::Args)]
struct Apply {
    #[command(flatten)]
    door: Door,
    /// The act
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  lienthong keys generate --id tinh.2024 --out keys/tinh.key      its public half goes into [authority] of the directory
  lienthong authority retire xa-dai-an-1 --successor xa-cu-lao-dung --why 'NQ 1668/NQ-UBTVQH15' \\
      --key keys/tinh.key --directory soc-trang-2024.toml --out xa-dai-an-1.act
  lienthong authority apply xa-dai-an-1.act                       at one node; then look at `lienthong status`

An act cannot be taken back. Switch the agency's node off first: what it does after the act nobody takes.
Keep all acts in one folder: nodes keep four about one agency, and all nodes must have the same ones.";

/// Runs one command.
pub(crate) async fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    match args.deed {
        Deed::Retire(args) => retire(args, json),
        Deed::Apply(args) => apply(args, json).await,
    }
}

fn retire(args: RetireArgs, json: bool) -> anyhow::Result<Outcome> {
    let shown = args.directory.display();
    let text = std::fs::read_to_string(&args.directory).with_context(|| format!("read {shown}"))?;
    let directory = DirectoryFile::parse(&text).with_context(|| format!("read {shown}"))?;
    for named in [Some(&args.agency), args.successor.as_ref()].into_iter().flatten() {
        anyhow::ensure!(directory.agency(named).is_some(), "{named} is not in {shown}");
    }
    anyhow::ensure!(args.successor.as_ref() != Some(&args.agency), "an agency cannot succeed itself");
    anyhow::ensure!(!args.why.trim().is_empty(), "--why says nothing");
    anyhow::ensure!(args.why.len() <= WHY_BYTES, "--why has more than {WHY_BYTES} bytes");
    let key = keys::load(&args.key)?;
    let listed = directory.authority.keys.iter().any(|k| k.id == key.id() && k.public == key.public());
    anyhow::ensure!(listed, "{} is no key of [authority] in {shown}", key.id());
    let warning = before::warning(&args.agency, &args.out, &directory)?;
    let (agency, successor) = (args.agency.clone(), args.successor.clone());
    let retire = Retire { agency, successor, why: args.why };
    let signed = act::sign(key, directory.authority.id, directory.epoch, WallMs(time::now_ms()), retire);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&args.out)
        .with_context(|| format!("make {}", args.out.display()))?;
    file.write_all(&act::to_file(&signed)).and_then(|()| file.sync_all()).context("write the act")?;
    warning.iter().for_each(|text| eprintln!("{text}"));
    let out = args.out.display().to_string();
    if json {
        let successor = args.successor.map(|s| s.to_string());
        let sid = signed.sid().to_string();
        println!(
            "{}",
            serde_json::json!({"agency": args.agency.to_string(), "successor": successor, "statement_id": sid, "file": out})
        );
    } else {
        println!("Quyết định đã ký / the act is signed: {out}");
        println!("Đưa đến một nút / bring it to a node: lienthong authority apply {out}");
    }
    Ok(Outcome::Fine)
}

async fn apply(args: Apply, json: bool) -> anyhow::Result<Outcome> {
    let act = std::fs::read(&args.file).with_context(|| format!("read {}", args.file.display()))?;
    let client = Client::connect(&args.door.node).await?;
    let answer = client.node().apply_act(ApplyActRequest { act: act.into() }).await.map_err(Refusal::from)?;
    let answer = answer.into_inner();
    if json {
        json::print("ApplyActResponse", &answer)?;
        return Ok(Outcome::Fine);
    }
    for applied in &answer.applied {
        let before = if applied.known_before { " (đã có từ trước / known before)" } else { "" };
        println!("Ghi vào sổ / in the ledger of {}: #{}{before}", applied.agency, applied.ledger_index);
    }
    answer.retired.iter().for_each(|retired| print(std::slice::from_ref(retired)));
    Ok(Outcome::Fine)
}

/// Agencies that are retired, and who has not heard of it.
pub(crate) fn print(retired: &[RetiredAgency]) {
    for one in retired {
        let name = if one.name.is_empty() { one.agency.clone() } else { shorten(&one.name) };
        println!("Đã chấm dứt hoạt động / retired: {name} ({})", one.agency);
        let successor = match one.successor.as_str() {
            "" => "không nêu / none named".to_owned(),
            successor => successor.to_owned(),
        };
        let unheard = match one.unheard.len() {
            0 => "mọi nơi đã biết / every peer knows".to_owned(),
            n => {
                format!("{n} nơi chưa xác nhận / peers have not said that they know: {}", some(&one.unheard))
            }
        };
        lines(&[
            ("Kế thừa / successor", successor),
            ("Ký lúc / signed", time::short(one.made_at_ms)),
            ("Quyết định / act", one.statement_id.clone()),
            ("Các nơi / peers", unheard),
        ]);
        if !one.unanswered.is_empty() {
            let waits = some(&one.unanswered);
            lines(&[("Kế thừa chờ trả lời của / its successor waits for", waits)]);
        }
        if one.left > 0 {
            lines(&[("Hồ sơ chưa tiếp nhận / dossiers left", one.left.to_string())]);
        }
        for (what, which, advice) in left(one) {
            lines(&[(what, which), ("Việc cần làm / to do", advice.to_owned())]);
        }
    }
}

/// What is left though everybody has answered: which, and who must do what.
fn left(one: &RetiredAgency) -> Vec<(&'static str, String, &'static str)> {
    let told = [
        (
            "Chờ ký nhận ở / in the inbox of",
            &one.undecided_at,
            "nơi đó ký nhận, rồi chuyển cho nơi kế thừa nếu cần / they sign for it, and may hand it to the successor then",
        ),
        (
            "Mất một phần quá trình / a part of the past is lost",
            &one.past_lost,
            "nơi kế thừa nhập lại từ giấy, ghi mã cũ / the successor takes it in again from the papers, and notes the old code",
        ),
    ];
    let some_left = told.into_iter().filter(|(_, which, _)| !which.is_empty());
    some_left.map(|(what, which, advice)| (what, some(which), advice)).collect()
}

/// The first of them: of a whole province the rest would push everything else off the screen.
fn some(peers: &[String]) -> String {
    const SHOWN: usize = 10;
    let more = if peers.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", peers.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", "))
}

fn agency(text: &str) -> Result<AgencyId, String> {
    AgencyId::parse(text).ok_or_else(|| "an agency's id is 1 to 40 of a-z 0-9 -".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_says_who_must_do_what() {
        let codes: Vec<String> = (0..12).map(|n| format!("000.00.01.H51-240115-{n:04}")).collect();
        let one = RetiredAgency { past_lost: codes.clone(), left: 12, ..RetiredAgency::default() };
        let told = left(&one);
        let [(what, which, advice)] = told.as_slice() else { panic!("{told:?}") };
        assert!(what.contains("the past is lost") && advice.contains("from the papers"), "{told:?}");
        assert!(which.contains(&codes[9]) && !which.contains(&codes[10]) && which.ends_with('…'), "{which}");
        let one = RetiredAgency { undecided_at: vec!["xa-a".to_owned()], ..one };
        assert!(left(&one)[0].1 == "xa-a" && left(&one)[0].2.contains("they sign for it"));
        assert!(left(&RetiredAgency::default()).is_empty());
    }
}
