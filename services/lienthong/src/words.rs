//! The contract's words as officers say them: Vietnamese first, the machine's word beside it.

use lienthong_proto::v1::{
    AckLevel, Channel, HandOffKind, HandOffOutcome, InboxEventKind, Phase, Resolution, WaitReason,
};

/// Where a dossier stands.
pub(crate) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Unspecified => "không rõ",
        Phase::Followed => "theo dõi (FOLLOWED)",
        Phase::Held => "đang giữ (HELD)",
        Phase::Offered => "đã giao, chờ bên nhận (OFFERED)",
        Phase::Inbox => "chờ tiếp nhận (INBOX)",
        Phase::Gone => "đã chuyển đi (GONE)",
        Phase::Out => "đã từ chối nhận (OUT)",
        Phase::Closed => "đã trả kết quả (CLOSED)",
    }
}

/// How far a statement has come.
pub(crate) fn level(level: AckLevel) -> &'static str {
    match level {
        AckLevel::Unspecified => "không rõ",
        AckLevel::Stored => "đã lưu tại đây (STORED)",
        AckLevel::Courier => "đã gửi đi, chưa chắc đến (COURIER, L0)",
        AckLevel::Received => "bên nhận đã lưu (RECEIVED, L1)",
        AckLevel::Decided => "đã có quyết định (DECIDED, L2)",
        AckLevel::Acknowledged => "quyết định đã đến bên giao (ACKNOWLEDGED, L3)",
        AckLevel::Witnessed => "có bên thứ ba chứng kiến (WITNESSED, L4)",
    }
}

/// How a dossier comes in, or its result goes out.
pub(crate) fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Unspecified => "không rõ",
        Channel::Counter => "trực tiếp",
        Channel::Online => "trực tuyến",
        Channel::Post => "bưu chính công ích",
    }
}

/// Why a dossier is handed over.
pub(crate) fn kind(kind: HandOffKind) -> &'static str {
    match kind {
        HandOffKind::Unspecified => "không rõ",
        HandOffKind::Forward => "chuyển xử lý",
        HandOffKind::Return => "chuyển trả",
        HandOffKind::Consult => "lấy ý kiến",
        HandOffKind::Answer => "trả lời ý kiến",
        HandOffKind::Supplement => "bổ sung",
        HandOffKind::Result => "chuyển kết quả",
        HandOffKind::Misrouted => "chuyển nhầm, không đúng thẩm quyền",
        HandOffKind::ReHome => "chuyển giao cho cơ quan kế thừa",
    }
}

/// How a transfer ended.
pub(crate) fn outcome(outcome: HandOffOutcome) -> &'static str {
    match outcome {
        HandOffOutcome::Unspecified => "không rõ",
        HandOffOutcome::Open => "chờ bên nhận (OPEN)",
        HandOffOutcome::Accepted => "đã tiếp nhận (ACCEPTED)",
        HandOffOutcome::Refused => "bị từ chối (REFUSED)",
        HandOffOutcome::Recalled => "đã lấy lại (RECALLED)",
        HandOffOutcome::Succeeded => "bên giao chấm dứt hoạt động, cơ quan kế thừa tiếp nhận (SUCCEEDED)",
        HandOffOutcome::Reclaimed => "đã nhận lại, bên nhận chấm dứt hoạt động (RECLAIMED)",
    }
}

/// How the work ended.
pub(crate) fn resolution(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Unspecified => "không rõ",
        Resolution::Resolved => "đã giải quyết",
        Resolution::Denied => "từ chối giải quyết",
        Resolution::Withdrawn => "công dân rút hồ sơ",
        Resolution::Stopped => "dừng giải quyết",
    }
}

/// What came in.
pub(crate) fn event(kind: InboxEventKind) -> &'static str {
    match kind {
        InboxEventKind::Unspecified => "không rõ",
        InboxEventKind::Offered => "được giao (OFFERED)",
        InboxEventKind::Accepted => "bên nhận đã ký nhận (ACCEPTED)",
        InboxEventKind::Refused => "trở lại bên giao (REFUSED)",
        InboxEventKind::Recalled => "bên giao xin lấy lại (RECALLED)",
        InboxEventKind::Succeeded => "kế thừa của cơ quan đã chấm dứt hoạt động (SUCCEEDED)",
        InboxEventKind::Followed => "tin về hồ sơ đã tiếp nhận (FOLLOWED)",
    }
}

/// Why something waits.
pub(crate) fn wait(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::Unspecified => "không rõ",
        WaitReason::Nothing => "không có gì chờ",
        WaitReason::Receipt => "chờ biên nhận đã ký (RECEIPT)",
        WaitReason::Decision => "chờ cán bộ bên nhận (DECISION)",
        WaitReason::NoMailbox => "bên nhận chưa từng kết nối (NO_MAILBOX)",
        WaitReason::MailboxFull => "hộp thư bên nhận đầy (MAILBOX_FULL)",
        WaitReason::Unreachable => "không tới được trạm chuyển (UNREACHABLE)",
        WaitReason::Window => "chờ các gói trước được nhận (WINDOW)",
        WaitReason::Retired => "bên nhận đã chấm dứt hoạt động (RETIRED)",
    }
}
