//! What to do about a refusal, in Vietnamese and English.

use lienthong_core::reason::Reason;
use tonic::Code;

/// Vietnamese and English.
pub(super) type Advice = (&'static str, &'static str);

/// What to do. Without a reason of ours only the gRPC code is known.
pub(super) fn what_to_do(reason: Option<Reason>, code: Code) -> Advice {
    match reason {
        Some(reason) if reason.number() / 100 == 3 => about_custody(reason),
        Some(reason) => about_the_rest(reason),
        None => match code {
            Code::Unavailable => (
                "nút có đang chạy không, --node (LIENTHONG_NODE) có đúng không? Gọi lại với cùng --key.",
                "is the node running, and is --node (LIENTHONG_NODE) its address? Repeat with the same --key.",
            ),
            Code::DeadlineExceeded => (
                "gọi lại với cùng --key: nút trả lời việc đã làm.",
                "repeat with the same --key: the node answers what it has already done.",
            ),
            _ => ("xem nhật ký của nút.", "look at the node's log."),
        },
    }
}

fn about_custody(reason: Reason) -> Advice {
    use Reason as R;
    match reason {
        R::DossierNotFound => (
            "`lienthong dossier list` cho biết cơ quan này có hồ sơ nào.",
            "`lienthong dossier list` shows what this agency knows.",
        ),
        R::NotCustodian => (
            "`lienthong dossier show` cho biết ai đang giữ; chỉ cơ quan đang giữ mới được làm.",
            "`lienthong dossier show` says who holds it; only the custodian may act.",
        ),
        R::LockedByOffer => (
            "chờ bên nhận quyết định, hoặc xin lấy lại: `lienthong dossier recall`.",
            "wait for the receiver's decision, or ask for it back: `lienthong dossier recall`.",
        ),
        R::AlreadyDecided | R::NotOffered | R::AlreadyRecalled => (
            "`lienthong dossier trail` cho biết ai đã quyết định gì, lúc nào.",
            "`lienthong dossier trail` shows what was decided, by whom and when.",
        ),
        R::Closed => {
            ("không cần làm gì: đã trả kết quả.", "nothing: the result was returned to the applicant.")
        }
        R::NotCompleted => (
            "ghi hoàn thành trước: `lienthong dossier complete`.",
            "say first that the work is done: `lienthong dossier complete`.",
        ),
        R::AlreadyCompleted => (
            "trả kết quả (`lienthong dossier return`) hoặc chuyển hồ sơ tiếp.",
            "return the result (`lienthong dossier return`), or hand the dossier on.",
        ),
        R::HandOffToSelf => ("ghi cơ quan khác ở --to.", "name another agency with --to."),
        R::CodeInUse => {
            ("bỏ --code, nút sẽ cấp mã kế tiếp.", "leave --code away, and the node issues the next code.")
        }
        R::IdempotencyConflict => (
            "yêu cầu mới cần --key mới; bỏ --key thì có khóa mới.",
            "use a new --key for a new request; leave it away and one is made.",
        ),
        R::ContentLost => (
            "đề nghị công dân nộp lại thành hồ sơ mới, rồi kết thúc hồ sơ này.",
            "ask the applicant to hand it in again as a new dossier, and complete this one.",
        ),
        R::CodesExhausted => (
            "hết số của ngày hôm nay; ngày mai có dãy số mới.",
            "the counter of this day is at its end; the next day has a new one.",
        ),
        // The limits of one dossier.
        _ => (
            "hồ sơ đã đến giới hạn; trả kết quả rồi tiếp nhận hồ sơ mới.",
            "this dossier is at its limit; return its result and take in a new one.",
        ),
    }
}

fn about_the_rest(reason: Reason) -> Advice {
    use Reason as R;
    match reason {
        R::MessageTooLarge | R::ContentTooLarge => {
            ("gửi ít hơn: nội dung tối đa 512 KiB.", "send less: content is at most 512 KiB.")
        }
        R::BadDossierCode => (
            "mã hồ sơ: <mã cơ quan>-<yymmdd>-<số>, ví dụ H51.40.01-240115-0001.",
            "a dossier code is <agency code>-<yymmdd>-<number>, such as H51.40.01-240115-0001.",
        ),
        R::BadProcedureCode => (
            "lấy mã thủ tục trong danh bạ, ví dụ 1.001193.",
            "take the procedure code from the directory, such as 1.001193.",
        ),
        R::BadCursor => (
            "lấy con trỏ từ câu trả lời trước cho cơ quan này.",
            "take the cursor or page token from an answer to this agency.",
        ),
        R::UnknownAgency => {
            ("lấy định danh cơ quan trong danh bạ.", "take the agency's id from the directory.")
        }
        R::AgencyNotHosted => (
            "hỏi nút có cơ quan này (`lienthong status` liệt kê).",
            "ask the node that hosts this agency (`lienthong status` lists what a node hosts).",
        ),
        R::HandOffNotAllowed => (
            "danh bạ không có dòng [[allow]] cho bên giao, bên nhận và thủ tục này.",
            "the directory has no row [[allow]] for this giver, receiver and procedure.",
        ),
        R::AgencyRetired => (
            "`lienthong status` cho biết cơ quan kế thừa; chuyển cho nơi đó.",
            "`lienthong status` names the successor; hand it there.",
        ),
        R::Retired => (
            "hỏi cơ quan quản lý danh bạ: cơ quan này đã chấm dứt hoạt động.",
            "ask the directory's authority: this agency is retired.",
        ),
        R::Overloaded => {
            ("chờ một lát rồi gọi lại với cùng --key.", "wait a moment, and repeat with the same --key.")
        }
        R::ShuttingDown => (
            "gọi lại với cùng --key khi nút chạy lại.",
            "repeat with the same --key when the node is up again.",
        ),
        R::StorageFailed => (
            "báo người vận hành nút: đĩa hỏng hoặc đầy.",
            "tell the operator of the node: its disk fails or is full.",
        ),
        R::Recovering => (
            "chờ đến khi nút khôi phục xong (`lienthong status`), rồi gọi lại với cùng --key.",
            "wait until the node has recovered (`lienthong status`), and repeat with the same --key.",
        ),
        R::StorageFull => (
            "báo người vận hành nút: thêm chỗ trên đĩa. Các việc đang dở vẫn hoàn tất được.",
            "tell the operator of the node: it needs more room on its disk. What is begun can be finished.",
        ),
        R::PeerBacklog => (
            "`lienthong status` cho biết nơi nhận nào không trả lời, từ lúc nào.",
            "`lienthong status` says which receiver does not answer, and since when.",
        ),
        R::NotInQuarantine => (
            "`lienthong quarantine list` cho biết những gì đang bị cách ly.",
            "`lienthong quarantine list` shows what is kept.",
        ),
        // 4xx: evidence that does not hold. A clerk cannot mend it.
        evidence if evidence.number() / 100 == 4 => (
            "báo người vận hành nút: chứng cứ không khớp.",
            "tell the operator of the node: evidence does not hold.",
        ),
        // 1xx: the fields of a request.
        _ => ("sửa trường được nêu ở trên rồi gọi lại.", "correct what is named above, and repeat."),
    }
}
