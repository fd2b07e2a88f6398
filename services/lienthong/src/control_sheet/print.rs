//! Lays the sheet out as the form has it: a head, a table of four columns, and who holds the dossier now.

use comfy_table::presets::UTF8_FULL;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width};

use super::{Row, Sheet, Work};
use crate::time;

/// Columns of a terminal that everybody has made wide enough, and of a page in small print.
const WIDTH: u16 = 118;
const TITLE: &str = "PHIẾU KIỂM SOÁT QUÁ TRÌNH GIẢI QUYẾT HỒ SƠ";
const SOURCE: &str = "(mẫu số 05, Thông tư 01/2018/TT-VPCP)";

/// The sheet as text.
pub(super) fn text(sheet: &Sheet) -> String {
    let mut out = format!("{}\n{}\n\n", centred(TITLE), centred(SOURCE));
    let due = sheet.due.map_or_else(|| "không ghi".to_owned(), time::long);
    for (label, value) in [
        ("Mã hồ sơ", sheet.code.as_str()),
        ("Thủ tục", &sheet.procedure),
        ("Cơ quan tiếp nhận", &sheet.received_at),
        ("Hình thức nộp", sheet.channel),
        ("Hẹn trả kết quả", &due),
    ] {
        out += &format!("{label:<18}: {value}\n");
    }
    out += &format!("\n{}\n\n", table(sheet));
    out += &match sheet.closed {
        true => format!("Hồ sơ đã trả kết quả tại: {}\n", sheet.custodian),
        false => format!("Theo các phát biểu trên, cơ quan đang giữ hồ sơ: {}\n", sheet.custodian),
    };
    out + "[........] 8 chữ số đầu của phát biểu đã ký; giờ Việt Nam (UTC+7)\n"
}

fn centred(text: &str) -> String {
    let pad = usize::from(WIDTH).saturating_sub(text.chars().count()) / 2;
    format!("{}{text}", " ".repeat(pad))
}

fn table(sheet: &Sheet) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(["TÊN CƠ QUAN", "THỜI GIAN GIAO, NHẬN HỒ SƠ", "KẾT QUẢ GIẢI QUYẾT", "GHI CHÚ"]);
    for row in &sheet.rows {
        table.add_row([party(row), signed(row), result(&row.work), row.remarks.join("\n")]);
    }
    for (index, width) in [27, 29, 19].into_iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
    }
    // Trailing blanks differ between layouts that look the same.
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn party(row: &Row) -> String {
    format!("{}\n{}", row.title, row.agency)
}

fn signed(row: &Row) -> String {
    let mut lines = Vec::new();
    lines.extend(row.at.map(time::short));
    lines.extend(row.officer.as_ref().map(|(role, name)| format!("{role}: {name}")));
    lines.extend(row.sid.as_ref().map(|sid| format!("[{sid}]")));
    lines.join("\n")
}

fn result(work: &Work) -> String {
    let boxes = |due: i64, at: i64| {
        let minute = |ms: i64| ms.div_euclid(60_000);
        let tick = |on: bool| if on { "[x]" } else { "[ ]" };
        let order = minute(at).cmp(&minute(due));
        format!(
            "{} Trước hạn\n{} Đúng hạn\n{} Quá hạn",
            tick(order.is_lt()),
            tick(order.is_eq()),
            tick(order.is_gt())
        )
    };
    match *work {
        Work::Blank => String::new(),
        Work::Said(word) => word.to_owned(),
        Work::Timed { due: Some(due), finished: Some(at) } => boxes(due, at),
        Work::Timed { due: Some(due), finished: None } => {
            format!("Đang giải quyết\nhạn {}", time::short(due))
        }
        Work::Timed { due: None, finished: Some(_) } => "Xong (không ghi hạn)".to_owned(),
        Work::Timed { due: None, finished: None } => "Đang giải quyết (không ghi hạn)".to_owned(),
    }
}
