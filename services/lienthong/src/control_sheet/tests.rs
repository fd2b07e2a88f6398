//! One hand-made trail with everything that a sheet shows, against a text that people have read.

use lienthong_proto::v1::{
    Accept, Cancel, Channel, Claim, Completed, GetTrailResponse, HandOffKind, Intake, Note, Offer, Officer,
    PaperItem, RefusalCause, Refuse, Resolution, Returned, SignedStatement, TrailEntry,
};
use prost::Message;

use super::render;
use crate::names::Names;
use crate::time;

const COMMUNE: &str = "xa-an-thanh-1";
const DISTRICT: &str = "huyen-cu-lao-dung";

fn claim(agency: &str, clock: &str, officer: &str) -> Option<Claim> {
    Some(Claim {
        agency: agency.into(),
        made_at_ms: time::parse(&format!("15/01/2024 {clock}")).unwrap(),
        officer: Some(Officer { id: "1".into(), name: officer.into() }),
        ..Claim::default()
    })
}

fn entry(number: u8, kind: &str, body: impl Message) -> TrailEntry {
    TrailEntry {
        statement_id: hex::encode([number; 32]),
        statement: Some(SignedStatement {
            r#type: format!("application/vnd.lienthong.{kind}.v1"),
            body: body.encode_to_vec().into(),
            proof: None,
        }),
        ..TrailEntry::default()
    }
}

fn tid(number: u8) -> prost::bytes::Bytes {
    vec![number; 32].into()
}

fn offer(agency: &str, clock: &str, officer: &str, to: &str, hop: u32, kind: HandOffKind) -> Offer {
    Offer { claim: claim(agency, clock, officer), hop, to: to.into(), kind: kind as i32, ..Offer::default() }
}

fn intake() -> Intake {
    let papers = [("Tờ khai", 1), ("Bản sao giấy khai sinh", 2)];
    Intake {
        claim: claim(COMMUNE, "07:38", "Trần Văn Phúc"),
        dossier_code: "H51.40.02-240115-0001".into(),
        procedure_code: "1.001776".into(),
        channel: Channel::Counter as i32,
        due_at_ms: Some(time::parse("12/02/2024 07:38").unwrap()),
        paper_items: papers.map(|(name, copies)| PaperItem { name: name.into(), copies }).into(),
        ..Intake::default()
    }
}

fn trail() -> GetTrailResponse {
    let refuse = |tid_of: u8, cause: RefusalCause, clock: &str, reason: &str| Refuse {
        claim: claim(DISTRICT, clock, "Đặng Thị Mai"),
        tid: tid(tid_of),
        cause: cause as i32,
        reason: reason.into(),
        ..Refuse::default()
    };
    let due_at_ms = Some(time::parse("15/01/2024 11:00").unwrap());
    let step = "Thẩm định tại Phòng LĐ-TB&XH".to_owned();
    let note = Note {
        claim: claim(COMMUNE, "07:47", "Trần Văn Phúc"),
        text: "Đã niêm yết".into(),
        ..Note::default()
    };
    let cancel = Cancel {
        claim: claim(COMMUNE, "08:20", "Trần Văn Phúc"),
        tid: tid(5),
        reason: "Kẹp nhầm biên bản".into(),
        ..Cancel::default()
    };
    let third = Offer {
        due_at_ms,
        step,
        ..offer(COMMUNE, "08:30", "Trần Văn Phúc", DISTRICT, 3, HandOffKind::Forward)
    };
    let accept = |agency: &str, of: u8, clock: &str, officer: &str| Accept {
        claim: claim(agency, clock, officer),
        tid: tid(of),
        ..Accept::default()
    };
    let completed = Completed {
        claim: claim(DISTRICT, "11:20", "Đặng Thị Mai"),
        resolution: Resolution::Resolved as i32,
        note: "Quyết định trợ cấp".into(),
        ..Completed::default()
    };
    let returned = Returned {
        claim: claim(COMMUNE, "14:00", "Trần Văn Phúc"),
        channel: Channel::Post as i32,
        ..Returned::default()
    };
    GetTrailResponse {
        dossier: None,
        entries: vec![
            entry(1, "intake", intake()),
            entry(2, "note", note),
            entry(3, "offer", offer(COMMUNE, "07:54", "Trần Văn Phúc", DISTRICT, 1, HandOffKind::Forward)),
            entry(4, "refuse", refuse(3, RefusalCause::Officer, "08:05", "Thiếu biên bản niêm yết")),
            entry(5, "offer", offer(COMMUNE, "08:10", "Trần Văn Phúc", DISTRICT, 2, HandOffKind::Forward)),
            entry(6, "cancel", cancel),
            entry(7, "refuse", refuse(5, RefusalCause::Recalled, "08:21", "")),
            entry(8, "offer", third),
            entry(9, "accept", accept(DISTRICT, 8, "08:40", "Đặng Thị Mai")),
            entry(10, "completed", completed),
            entry(11, "offer", offer(DISTRICT, "11:25", "Đặng Thị Mai", COMMUNE, 4, HandOffKind::Result)),
            entry(12, "accept", accept(COMMUNE, 11, "13:40", "Trần Văn Phúc")),
            entry(13, "returned", returned),
        ],
    }
}

fn names() -> Names {
    Names::from_directory(include_str!("../../../../deploy/example/soc-trang-2024.toml")).unwrap()
}

#[test]
fn the_sheet_shows_every_hop() {
    let text = render(&trail(), &names());
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/src/control_sheet/golden.txt");
    if std::env::var_os("LIENTHONG_WRITE_GOLDEN").is_some() {
        std::fs::write(golden, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(golden).unwrap());
}

#[test]
fn a_part_of_the_trail_gives_the_same_lines_for_shared_hops() {
    let whole = render(&trail(), &names());
    let mut part = trail();
    part.entries.truncate(7);
    let part = render(&part, &names());
    let until_second_refusal = |text: &str| text.split("[07070707]").next().unwrap().to_owned();
    let hops = |text: &str| until_second_refusal(text).split("1. Giao:").nth(1).unwrap().to_owned();
    assert_eq!(hops(&whole), hops(&part));
}

#[test]
fn an_open_offer_leaves_custody_with_the_giver() {
    let mut part = trail();
    part.entries.truncate(3);
    let text = render(&part, &names());
    assert!(text.contains("Chờ tiếp nhận"), "{text}");
    assert!(text.contains("cơ quan đang giữ hồ sơ: Ủy ban nhân dân xã An Thạnh 1"), "{text}");
}

#[test]
fn an_unknown_statement_is_shown_as_such() {
    let mut odd = trail();
    odd.entries.truncate(1);
    odd.entries.push(entry(2, "weather", Note::default()));
    assert!(render(&odd, &names()).contains("không đọc được"));
}
