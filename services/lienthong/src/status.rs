//! `lienthong status`: what a node holds, what waits, why, since when, and who must act.

mod recovery;

use std::time::Duration;

use lienthong_proto::v1::{
    GetStatusRequest, GetStatusResponse, ListPeersRequest, ListQuarantineRequest, Peer, StorageLevel,
    StorageStatus, WaitReason,
};

use crate::Outcome;
use crate::client::{Client, Door};
use crate::dossier::show::{lines, table};
use crate::failure::Refusal;
use crate::names::shorten;
use crate::{authority, json, time, words};

/// Coming up means opening a mailbox per agency, on a nats-server that has just started.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks.
const READY_LOOK: Duration = Duration::from_millis(50);

/// `lienthong status`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  lienthong status                                     the node on this machine
  lienthong status --node http://10.0.0.5:7443 --json  for scripts

Exit code 1 when the node is not ready.")]
pub(crate) struct Args {
    #[command(flatten)]
    door: Door,
}

/// Asks and prints.
pub(crate) async fn run(args: Args, json: bool) -> anyhow::Result<Outcome> {
    let client = Client::connect(&args.door.node).await?;
    let status = ask(&client).await?;
    if json {
        json::print("GetStatusResponse", &status)?;
    } else {
        head(&status);
        recovery::print(&status);
        authority::print(&status.retired);
        agencies(&status);
        waiting(&client, &status).await?;
        quarantine(&client, &status).await?;
    }
    Ok(if status.ready { Outcome::Fine } else { Outcome::Faulty })
}

/// The node's status.
pub(crate) async fn ask(client: &Client) -> anyhow::Result<GetStatusResponse> {
    Ok(client.node().get_status(GetStatusRequest {}).await.map_err(Refusal::from)?.into_inner())
}

/// Waits, within a bound, until the node says that it is ready.
pub(crate) async fn until_ready(client: &Client) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + READY_WITHIN;
    loop {
        let status = ask(client).await?;
        if status.ready {
            return Ok(());
        }
        let waits = status.waiting_for.join(", ");
        anyhow::ensure!(
            tokio::time::Instant::now() < deadline,
            "the node is not ready; it waits for {waits}"
        );
        tokio::time::sleep(READY_LOOK).await;
    }
}

fn head(status: &GetStatusResponse) {
    let link = if status.link_connected {
        "đã kết nối / connected"
    } else {
        "MẤT KẾT NỐI / NOT CONNECTED"
    };
    let ready = match status.ready {
        true => "có / yes".to_owned(),
        false => format!("CHƯA / NOT YET: {}", status.waiting_for.join(", ")),
    };
    let started = i64::try_from(status.started_at_ms).unwrap_or(i64::MAX);
    println!("Nút / node {}", status.node_name);
    lines(&[
        ("Phiên bản / version", status.version.clone()),
        ("Sẵn sàng / ready", ready),
        ("Liên kết / link", format!("{} {} — {link}", status.link_kind, status.link_server)),
        ("Khởi động / started", time::short(started)),
    ]);
    storage(status.storage.as_ref());
    status.start_report.iter().for_each(|line| println!("  Lúc khởi động / at start: {line}"));
}

/// Room on the disk; what is put off for want of it.
fn storage(told: Option<&StorageStatus>) {
    let Some(told) = told else { return };
    let level = match told.level() {
        StorageLevel::Ample => "đủ / enough",
        StorageLevel::FinishingOnly => {
            "SẮP ĐẦY: chỉ hoàn tất việc đang dở / NEARLY FULL: only what is begun is finished"
        }
        StorageLevel::Out => "HẾT CHỖ: không ghi gì nữa / FULL: nothing is written",
        StorageLevel::Unspecified => "?",
    };
    let since = if told.since_ms > 0 { format!(", {}", time::short(told.since_ms)) } else { String::new() };
    let mib = |bytes: u64| bytes >> 20;
    lines(&[(
        "Đĩa / disk",
        format!(
            "{level}{since}; còn / left {} MiB, đã dùng / used {} MiB",
            mib(told.left_bytes),
            mib(told.used_bytes)
        ),
    )]);
    if told.queues_behind {
        println!("  Danh sách tạm dừng vì thiếu chỗ / lists are refused until there is room");
    }
    if told.snapshots_put_off > 0 {
        println!("  Ảnh chụp hoãn lại / snapshots put off: {}", told.snapshots_put_off);
    }
}

/// A table of what each agency holds.
pub(crate) fn agencies(status: &GetStatusResponse) {
    let header = [
        "Cơ quan",
        "Giữ",
        "Đã giao",
        "Chờ nhận",
        "Chuyển đi",
        "Theo dõi",
        "Đã trả",
        "Chờ gửi",
        "Cách ly",
        "Sổ cái",
    ];
    let mut table = table(header);
    for a in &status.agencies {
        let numbers = [
            a.held,
            a.offered,
            a.inbox,
            a.gone,
            a.followed,
            a.closed,
            a.outbox,
            a.quarantined,
            a.ledger_size,
        ];
        let name = if a.name.is_empty() { a.agency.clone() } else { shorten(&a.name) };
        table.add_row(std::iter::once(name).chain(numbers.map(|n| n.to_string())));
    }
    for index in 1..header.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
    println!("{table}");
}

async fn waiting(client: &Client, status: &GetStatusResponse) -> anyhow::Result<()> {
    let mut table = table(["Từ", "Đến", "Chờ", "Lý do", "Từ lúc", "Ai phải làm"]);
    for agency in &status.agencies {
        let request = ListPeersRequest { agency: agency.agency.clone() };
        let peers = client.node().list_peers(request).await.map_err(Refusal::from)?.into_inner().peers;
        for peer in peers.iter().filter(|p| waits(p)) {
            let reason = words::wait(WaitReason::try_from(peer.reason).unwrap_or_default());
            let count = peer.waiting + peer.in_flight + peer.undecided;
            table.add_row([
                shorten(&agency.name),
                shorten(&peer.name),
                count.to_string(),
                reason.to_owned(),
                time::short(peer.oldest_since_ms),
                peer.must_act.clone(),
            ]);
        }
    }
    if table.row_count() == 0 {
        println!("Không có gì chờ / nothing waits");
    } else {
        println!("{table}");
    }
    Ok(())
}

/// What could not be processed, one page of each agency: who sent it, and why it was kept.
async fn quarantine(client: &Client, status: &GetStatusResponse) -> anyhow::Result<()> {
    let mut table = table(["Cơ quan", "Từ", "Lúc", "Lý do", "Byte", "Sổ cái"]);
    for agency in status.agencies.iter().filter(|agency| agency.quarantined > 0) {
        let request =
            ListQuarantineRequest { agency: agency.agency.clone(), ..ListQuarantineRequest::default() };
        let page = client.node().list_quarantine(request).await.map_err(Refusal::from)?.into_inner();
        for kept in page.envelopes {
            table.add_row([
                shorten(&agency.name),
                kept.from,
                time::short(kept.at_ms),
                kept.reason_name,
                kept.length.to_string(),
                format!("#{}", kept.ledger_index),
            ]);
        }
    }
    if table.row_count() > 0 {
        println!("Cách ly: không xử lý được / quarantined: could not be processed\n{table}");
    }
    Ok(())
}

fn waits(peer: &Peer) -> bool {
    peer.waiting + peer.in_flight + peer.undecided > 0
}
