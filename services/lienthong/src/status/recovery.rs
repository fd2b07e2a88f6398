//! What `lienthong status` says of a recovery from an old copy: what was lost, what was not, and what to do.

use lienthong_proto::v1::{AgencyStatus, GetStatusResponse, RecoveryCause, RecoveryStatus, RecoveryWait};

use crate::names::shorten;
use crate::time;

/// Peers named in full; of a province with none of them there, more would push everything else off the screen.
const PEERS_SHOWN: usize = 20;

/// Prints each agency's recovery, under way or ended since the start.
pub(super) fn print(status: &GetStatusResponse) {
    text(status).iter().for_each(|line| println!("{line}"));
}

/// What to do is told once, however many agencies have recovered.
fn text(status: &GetStatusResponse) -> Vec<String> {
    let recoveries = status.agencies.iter().filter_map(|agency| Some((agency, agency.recovery.as_ref()?)));
    let mut out: Vec<String> = recoveries.clone().flat_map(|(agency, r)| lines(agency, r)).collect();
    if recoveries.clone().any(|(_, recovery)| recovery.ended_ms > 0) {
        out.extend(ADVICE.map(str::to_owned));
    }
    out
}

fn lines(agency: &AgencyStatus, recovery: &RecoveryStatus) -> Vec<String> {
    let name = if agency.name.is_empty() { agency.agency.clone() } else { shorten(&agency.name) };
    let RecoveryStatus { incarnation, kept_records, .. } = *recovery;
    let since = time::short(recovery.since_ms);
    let mut out = Vec::new();
    if recovery.ended_ms == 0 {
        out.push(format!(
            "ĐANG KHÔI PHỤC / RECOVERING: {name}, từ / since {since}, đời / incarnation {incarnation}"
        ));
    } else {
        let ended = time::short(recovery.ended_ms);
        out.push(format!(
            "ĐÃ KHÔI PHỤC / RECOVERED: {name}, {since} – {ended}, đời / incarnation {incarnation}"
        ));
    }
    out.push(format!("  Vì sao / why: {}", why(recovery.cause())));
    out.push(format!("  Bản sao có / the copy had: {kept_records} bản ghi / records"));
    out.push(format!(
        "  Lấy lại được / came back: {} chứng từ của mình / own statements, {} của nơi khác / of others",
        recovery.returned, recovery.learned
    ));
    if recovery.unplaced > 0 {
        out.push(format!(
            "  Không ghép lại được / without a place: {} — chứng từ đứng trước đã mất ở mọi nơi / what they follow is \
             gone everywhere",
            recovery.unplaced
        ));
    }
    if recovery.ended_ms == 0 {
        out.extend(waiting(recovery));
    }
    out
}

fn waiting(recovery: &RecoveryStatus) -> Vec<String> {
    let mut out = vec![
        "  Trong lúc này chỉ tiếp nhận hồ sơ mới / meanwhile only new dossiers are taken in".to_owned(),
        format!(
            "  Đang chờ {} nơi / waits for {} peers:",
            recovery.waits_for.len(),
            recovery.waits_for.len()
        ),
    ];
    for peer in recovery.waits_for.iter().take(PEERS_SHOWN) {
        let name = if peer.name.is_empty() { String::new() } else { format!(" ({})", shorten(&peer.name)) };
        out.push(format!("    {}{name}: {}", peer.agency, what(peer.wait())));
    }
    if recovery.waits_for.len() > PEERS_SHOWN {
        out.push(format!("    … và {} nơi nữa / and more", recovery.waits_for.len() - PEERS_SHOWN));
    }
    out.push(
        "  Việc cần làm / to do: gọi các nơi trên bật nút của họ / call those above to start their nodes"
            .to_owned(),
    );
    out
}

/// Once the peers have given back what they hold.
const ADVICE: [&str; 5] = [
    "Còn / kept: mọi thứ đã đến một nơi khác / everything that had reached another agency",
    "Mất / lost: những gì chưa đến nơi nào, từ lúc sao lưu đến lúc mất / what never reached anyone between backup and loss;",
    "  hồ sơ đó lùi về trạng thái trước, vẫn một nơi giữ / such a dossier falls back to an earlier state, with one custodian",
    "Việc cần làm / to do: đối chiếu sổ giấy và biên nhận của những giờ đó, nhập lại hồ sơ không tìm thấy /",
    "  check the paper intakes and receipts of those hours, and enter again what is not found",
];

fn why(cause: RecoveryCause) -> &'static str {
    match cause {
        RecoveryCause::Unspecified => "?",
        RecoveryCause::Restored => "đã chạy `lienthong restore` / `lienthong restore` was run",
        RecoveryCause::AnchorAhead => {
            "mỏ neo ghi nhiều bản ghi hơn sổ cái: dữ liệu là bản cũ / the anchor is ahead of the ledger: the data is old"
        }
        RecoveryCause::AnchorForks => {
            "sổ cái khác với mỏ neo: dữ liệu là bản khác / the ledger is not the one that the anchor knows"
        }
        RecoveryCause::OtherStore => "mỏ neo thuộc kho dữ liệu khác / the anchor is of another store",
        RecoveryCause::NoAnchor => {
            "không có mỏ neo, không rõ dữ liệu có mới nhất không / no anchor: whether the data is the latest is unknown"
        }
        RecoveryCause::Peer => {
            "một nơi khác biết nhiều hơn sổ cái này: dữ liệu là bản cũ / a peer knows more than this ledger: the data is old"
        }
        RecoveryCause::Earlier => "bắt đầu từ lần chạy trước / it began before this start",
    }
}

fn what(wait: RecoveryWait) -> &'static str {
    match wait {
        RecoveryWait::Unspecified => "?",
        RecoveryWait::Fence => "chưa xác nhận chặn đời cũ / has not fenced the old incarnation",
        RecoveryWait::ItsFences => "cũng đang khôi phục / recovers too",
        RecoveryWait::Acts => {
            "chưa xác nhận biết cơ quan nào đã chấm dứt / has not said that it knows who is retired"
        }
        RecoveryWait::Answer => "chưa gửi lại hết những gì giữ / has not given everything back",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lienthong_proto::v1::RecoveryPeer;

    fn agency(recovery: &RecoveryStatus) -> String {
        let of = |id: &str| AgencyStatus {
            agency: id.to_owned(),
            recovery: Some(recovery.clone()),
            ..AgencyStatus::default()
        };
        let agencies = vec![of("xa-an-thanh-1"), of("xa-an-thanh-2")];
        text(&GetStatusResponse { agencies, ..GetStatusResponse::default() }).join("\n")
    }

    #[test]
    fn who_is_waited_for_is_named_and_a_long_list_is_cut() {
        let peer = |n| RecoveryPeer { agency: format!("xa-{n}"), wait: 1, ..RecoveryPeer::default() };
        let recovery = RecoveryStatus {
            cause: RecoveryCause::AnchorAhead as i32,
            waits_for: (0..25).map(peer).collect(),
            ..RecoveryStatus::default()
        };
        let text = agency(&recovery);
        assert!(
            text.contains("RECOVERING: xa-an-thanh-1") && text.contains("xa-19:") && !text.contains("xa-20:")
        );
        assert!(text.contains("và 5 nơi nữa"), "{text}");
    }

    #[test]
    fn after_it_people_are_told_what_to_do() {
        let text = agency(&RecoveryStatus { ended_ms: 1, unplaced: 2, ..RecoveryStatus::default() });
        assert!(
            text.contains("RECOVERED")
                && text.contains("paper intakes")
                && text.contains("without a place: 2")
        );
        assert!(!text.contains("waits for"), "{text}");
        assert_eq!(text.matches("paper intakes").count(), 1, "{text}");
    }
}
