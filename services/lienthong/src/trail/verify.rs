//! `lienthong trail verify`: the offline check of an evidence file, for someone who trusts nobody.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use lienthong_core::statement::RefusalCause;
use lienthong_proto::v1::Evidence;
use lienthong_wire::directory::DirectoryFile;
use lienthong_wire::evidence::{self, Fault, HandOver, Outcome as Transfer, Verdict};
use lienthong_wire::limits::EVIDENCE_BYTES;
use prost::Message;
use prost::bytes::Bytes;

use crate::dossier::show::{lines, table};
use crate::names::Names;
use crate::{Outcome, time};

/// `verify`
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The evidence file
    file: PathBuf,
    /// Your own copy of the directory: its keys are trusted, not those in the file
    #[arg(long, value_name = "FILE", env = "LIENTHONG_DIRECTORY")]
    directory: Option<PathBuf>,
}

pub(super) fn run(args: Verify, json: bool) -> anyhow::Result<Outcome> {
    let trusted = args.directory.as_deref().map(std::fs::read_to_string).transpose();
    let trusted = trusted.with_context(|| format!("read {}", shown(args.directory.as_deref())))?;
    let bytes = read(&args.file)?;
    let (verdict, names) = check(bytes, trusted.as_deref())?;
    if json {
        println!("{:#}", value(&verdict));
    } else {
        print(&verdict, &names);
    }
    Ok(if verdict.is_ok() { Outcome::Fine } else { Outcome::Faulty })
}

/// Checks evidence. `trusted` is the text of the verifier's own directory.
pub(crate) fn check(bytes: Bytes, trusted: Option<&str>) -> anyhow::Result<(Result<Verdict, Fault>, Names)> {
    let directory = trusted.map(DirectoryFile::parse).transpose().context("read the directory")?;
    let verdict = evidence::verify(bytes.clone(), directory.as_ref());
    let names = match (&verdict, trusted) {
        (Ok(_), Some(text)) => Names::from_directory(text)?,
        // Only after the check: names are for show, but nothing of a faulty file is worth showing.
        (Ok(_), None) => Names::from_directory(&Evidence::decode(bytes)?.directory)?,
        (Err(_), _) => Names::default(),
    };
    Ok((verdict, names))
}

/// Reads an evidence file, up to the size that evidence may have.
pub(crate) fn read(path: &Path) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(EVIDENCE_BYTES as u64 + 1).read_to_end(&mut bytes))
        .with_context(|| format!("read {}", path.display()))?;
    Ok(bytes.into())
}

/// Prints a verdict in Vietnamese and English.
pub(crate) fn print(verdict: &Result<Verdict, Fault>, names: &Names) {
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(fault) => {
            println!("SAI / FAULT\n{fault}");
            return;
        }
    };
    println!("ĐÚNG: chữ ký, chuỗi sổ cái và việc giữ hồ sơ đều khớp.");
    println!("SOUND: signatures, ledger chain and custody hold at every step.");
    let keys = match verdict.trusted_directory {
        true => "của người kiểm tra / the verifier's own",
        false => "trong tệp — hãy dùng --directory / from the file itself: give --directory to trust nobody",
    };
    let state = if verdict.closed { "đã trả kết quả / closed" } else { "đang xử lý / open" };
    lines(&[
        ("Mã hồ sơ / code", verdict.code.clone()),
        ("Thủ tục / procedure", names.procedure(&verdict.procedure).to_owned()),
        ("Sổ cái của / ledger of", names.agency(verdict.agency.as_str()).to_owned()),
        (
            "Phát biểu / statements",
            format!("{} (chuỗi / chain: {} mắt xích)", verdict.statements, verdict.links),
        ),
        ("Danh bạ / keys", keys.to_owned()),
        ("Đang giữ / custodian now", format!("{}, {state}", names.agency(verdict.custodian_now.as_str()))),
    ]);
    custody(verdict, names);
    if !verdict.unlinked.is_empty() {
        println!(
            "  Sổ cái này thiếu một đoạn / this ledger has a gap: {} statement(s) hang on ones it does not show",
            verdict.unlinked.len()
        );
    }
}

fn custody(verdict: &Verdict, names: &Names) {
    let mut rows = table(["Lúc", "Việc", "Người làm", "Giữ hồ sơ sau đó", "Phát biểu"]);
    for step in &verdict.steps {
        rows.add_row([
            time::short(step.at.0),
            step.kind.name().to_owned(),
            names.short(step.maker.as_str()),
            names.short(step.custodian_after.as_str()),
            step.sid.short(),
        ]);
    }
    println!("{rows}");
}

fn value(verdict: &Result<Verdict, Fault>) -> serde_json::Value {
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(fault) => {
            let text = serde_json::json!({"vi": fault.vietnamese(), "en": fault.english()});
            return serde_json::json!({"sound": false, "fault": text});
        }
    };
    let step = |s: &evidence::CustodyStep| {
        serde_json::json!({
            "ledger_index": s.index.0, "statement_id": s.sid.to_string(), "kind": s.kind.name(),
            "maker": s.maker.as_str(), "made_at_ms": s.at.0, "custodian_after": s.custodian_after.as_str(),
        })
    };
    let hop = |h: &HandOver| {
        serde_json::json!({
            "hop": h.hop.0, "from": h.from.as_str(), "to": h.to.as_str(), "outcome": outcome(h.outcome),
        })
    };
    serde_json::json!({
        "sound": true, "agency": verdict.agency.as_str(), "track": verdict.track.to_string(), "code": verdict.code,
        "procedure": verdict.procedure, "custodian_now": verdict.custodian_now.as_str(), "closed": verdict.closed,
        "statements": verdict.statements, "links": verdict.links, "trusted_directory": verdict.trusted_directory,
        "unlinked": verdict.unlinked.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "steps": verdict.steps.iter().map(step).collect::<Vec<_>>(),
        "hand_overs": verdict.custodians.iter().map(hop).collect::<Vec<_>>(),
    })
}

fn outcome(outcome: Transfer) -> &'static str {
    match outcome {
        Transfer::Undecided => "undecided",
        Transfer::Accepted => "accepted",
        Transfer::Refused(RefusalCause::Officer) => "refused",
        Transfer::Refused(RefusalCause::Recalled) => "recalled",
        Transfer::Refused(RefusalCause::Reclaimed) => "reclaimed",
        Transfer::Refused(RefusalCause::Succeeded) => "succeeded",
        Transfer::Refused(RefusalCause::Policy) => "refused by policy",
    }
}

fn shown(path: Option<&Path>) -> String {
    path.map(|p| p.display().to_string()).unwrap_or_default()
}
