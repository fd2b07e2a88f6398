//! `lienthong backup` and `lienthong restore`: a copy of a node's data while it runs, and the way back.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use lienthong_store::backup::{self as store_backup, Copied};
use lienthong_store::restore as store_restore;

use crate::Outcome;
use crate::dossier::show::table;
use crate::time;

/// `lienthong backup`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lienthong backup /mnt/backup/2026-11-22 --data /var/lib/lienthong
  lienthong backup /mnt/backup/today --data data/dev/node --json

The node may run: the copy ends with the last commit that is proved durable, and what was acknowledged 50 ms before is in
it. Every byte is checked on the way and once more in the copy. The queues are not copied, they follow from the ledger.
Keys, configuration and directory are not in the data folder: keep copies of them apart, the keys where nobody reads them.
Never copy the anchor (node.anchor, beside the data folder): it tells an old copy from the latest state.
A copy made with cp or a snapshot of the disk serves as well when the node is stopped.")]
pub(crate) struct Backup {
    /// A new or empty folder for the copy
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The node's data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// `lienthong restore`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  systemctl stop lienthong
  mv /var/lib/lienthong/ledger /var/lib/lienthong-damaged          keep what is left, until all is well
  lienthong restore /mnt/backup/2026-11-22 --data /var/lib/lienthong
  chown -R lienthong: /var/lib/lienthong
  systemctl start lienthong && lienthong status

A backup is old: since it was made, dossiers went out and came in. At its next start the node asks every peer to take
nothing more from its lost incarnation, gets back what they hold of it, and only then hands on again; until then it takes
in new dossiers. `lienthong status` says who is waited for. What had reached another agency comes back. What never
reached anyone since the backup is gone: compare the paper intakes of those hours.
Nothing is ever written over a ledger, and the anchor beside the data folder stays as it is.")]
pub(crate) struct Restore {
    /// What `lienthong backup` made
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// The node's data folder, without a ledger in it
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

/// Progress in bytes, where there is a terminal to show it.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) =
            ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Takes bytes done and bytes there are.
    pub(crate) fn progress(&self) -> impl Fn(u64, u64) {
        |done, total| {
            self.0.set_length(total);
            self.0.set_position(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Copies.
pub(crate) fn backup(args: Backup, json: bool) -> anyhow::Result<Outcome> {
    let bar = Bar::new();
    let copied = store_backup::backup(&args.data, &args.out, time::now_ms(), bar.progress())?;
    drop(bar);
    print(&copied, json);
    if !json {
        println!("Đã sao lưu và kiểm tra / backed up and checked: {}", args.out.display());
        println!(
            "Khóa, cấu hình và danh bạ phải sao lưu riêng / keys, configuration and directory are kept apart"
        );
    }
    Ok(Outcome::Fine)
}

/// Puts back.
pub(crate) fn restore(args: Restore, json: bool) -> anyhow::Result<Outcome> {
    let bar = Bar::new();
    let copied = store_restore::restore(&args.backup, &args.data, time::now_ms(), bar.progress())?;
    drop(bar);
    print(&copied, json);
    if !json {
        println!("Đã đặt lại / put back: {}", args.data.display());
        println!(
            "Bản sao lúc / the copy is of: {}. Những gì xảy ra sau đó sẽ được lấy lại từ các nơi khác khi nút khởi động /",
            time::short(copied.at_ms)
        );
        println!(
            "what happened since comes back from the peers when the node starts; `lienthong status` shows it"
        );
        println!(
            "Hãy bảo đảm thư mục thuộc về người dùng chạy nút / make sure that the folder belongs to the node's user"
        );
    }
    Ok(Outcome::Fine)
}

fn print(copied: &Copied, json: bool) {
    if json {
        let heads = copied.heads.iter().map(|(agency, head)| {
            serde_json::json!({"agency": agency.as_str(), "size": head.size, "head": head.hash.to_string()})
        });
        let value = serde_json::json!({
            "made_ms": copied.at_ms, "commits": copied.commits, "records": copied.records,
            "agencies": heads.collect::<Vec<_>>(),
        });
        println!("{value:#}");
        return;
    }
    let mut heads = table(["Sổ cái / ledger", "Bản ghi", "Đầu chuỗi / head"]);
    for (agency, head) in &copied.heads {
        heads.add_row([agency.to_string(), head.size.to_string(), head.hash.short()]);
    }
    println!("{heads}");
}
