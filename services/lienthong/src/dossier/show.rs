//! How dossiers and inbox events look to people: aligned lines and plain tables.

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use lienthong_proto::v1::{AckLevel, Channel, Dossier, HandOffOutcome, InboxEvent, InboxEventKind, Phase};

use crate::names::Names;
use crate::{time, words};

/// Columns of a label: the longest one, and a blank.
const LABEL: usize = 26;

/// Prints labels and values, one a line.
pub(crate) fn lines(rows: &[(&str, String)]) {
    for (label, value) in rows {
        println!("  {label:<LABEL$}{value}");
    }
}

/// An empty table in the house's look.
pub(crate) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table
}

/// One dossier, in full.
pub(super) fn dossier(dossier: &Dossier, names: &Names) {
    let channel = words::channel(Channel::try_from(dossier.channel).unwrap_or_default());
    let phase = words::phase(Phase::try_from(dossier.phase).unwrap_or_default());
    let due = dossier.due_at_ms.map_or_else(|| "không ghi".to_owned(), time::short);
    println!("Hồ sơ {}", dossier.code);
    lines(&[
        ("Định danh / id", dossier.id.clone()),
        ("Thủ tục / procedure", names.procedure(&dossier.procedure_code).to_owned()),
        ("Tiếp nhận / taken in", format!("{}, {channel}", time::short(dossier.received_at_ms))),
        ("Nơi tiếp nhận / at", names.agency(&dossier.received_at_agency).to_owned()),
        ("Hẹn trả / due", due),
        ("Trạng thái / phase", phase.to_owned()),
        ("Đang giữ / custodian", names.agency(&dossier.custodian).to_owned()),
        ("Đã hoàn thành / completed", if dossier.completed { "rồi / yes" } else { "chưa / no" }.to_owned()),
        ("Số lần giao / hops", dossier.hops.to_string()),
        ("Nội dung / content", format!("{} byte", dossier.content_length)),
    ]);
    let Some(hand_off) = &dossier.hand_off else { return };
    let level = words::level(AckLevel::try_from(hand_off.level).unwrap_or_default());
    let outcome = words::outcome(HandOffOutcome::try_from(hand_off.outcome).unwrap_or_default());
    let recall = if hand_off.recall_requested { "; bên giao xin lấy lại / recall asked" } else { "" };
    println!("Lần giao gần nhất / last hand-off");
    lines(&[
        ("Từ → đến", format!("{} → {}", names.agency(&hand_off.from), names.agency(&hand_off.to))),
        ("Kết quả / outcome", format!("{outcome}{recall}")),
        ("Mức xác nhận / level", level.to_owned()),
        ("Chuyển giao / hand-off", hand_off.id.clone()),
    ]);
}

/// Many dossiers, one a line.
pub(super) fn dossiers(list: &[Dossier], names: &Names) {
    let mut table = table(["Mã hồ sơ", "Thủ tục", "Tiếp nhận", "Hẹn trả", "Trạng thái", "Đang giữ"]);
    for dossier in list {
        table.add_row([
            dossier.code.clone(),
            dossier.procedure_code.clone(),
            time::short(dossier.received_at_ms),
            dossier.due_at_ms.map(time::short).unwrap_or_default(),
            words::phase(Phase::try_from(dossier.phase).unwrap_or_default()).to_owned(),
            names.short(&dossier.custodian),
        ]);
    }
    println!("{table}");
}

/// One thing that came in, on one line.
pub(super) fn event(event: &InboxEvent, names: &Names) -> [String; 5] {
    let kind = words::event(InboxEventKind::try_from(event.kind).unwrap_or_default());
    let waits = if event.undecided { " · chờ quyết định" } else { "" };
    [
        event.cursor.to_string(),
        time::short(event.made_at_ms),
        format!("{kind}{waits}"),
        event.dossier_code.clone(),
        names.short(&event.from),
    ]
}
