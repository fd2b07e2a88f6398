//! The control sheet, «Phiếu kiểm soát quá trình giải quyết hồ sơ» (mẫu số 05, Thông tư 01/2018/TT-VPCP), of one
//! trail. It is made from signed statements alone, so two agencies print the same lines for the hops they share.

mod print;
mod rows;

use lienthong_proto::v1::GetTrailResponse;

use crate::names::Names;

/// The sheet, before it is laid out.
#[derive(Debug, Default)]
struct Sheet {
    code: String,
    procedure: String,
    channel: &'static str,
    /// Place of receipt.
    received_at: String,
    due: Option<i64>,
    rows: Vec<Row>,
    custodian: String,
    closed: bool,
}

/// One line of the form's table.
#[derive(Debug, Default)]
struct Row {
    /// «1. Giao:» and the like.
    title: String,
    agency: String,
    /// «Người giao» and the like, and the officer.
    officer: Option<(&'static str, String)>,
    at: Option<i64>,
    /// The statement that proves the line, short.
    sid: Option<String>,
    work: Work,
    remarks: Vec<String>,
}

/// The column «Kết quả giải quyết hồ sơ».
#[derive(Debug, Default)]
enum Work {
    /// Nothing belongs here: the giver's line.
    #[default]
    Blank,
    /// The agency works on it, or did. Without a due time there is nothing to be late for.
    Timed { due: Option<i64>, finished: Option<i64> },
    /// Said in words.
    Said(&'static str),
}

/// Prints the sheet of a trail.
pub(crate) fn render(trail: &GetTrailResponse, names: &Names) -> String {
    print::text(&rows::build(trail, names))
}

#[cfg(test)]
mod tests;
