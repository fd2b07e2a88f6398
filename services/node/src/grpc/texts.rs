//! What each reason means and what to do, for people, in Vietnamese and English. The numbers are public API, the
//! texts are not.

use lienthong_core::reason::Reason;

/// A reason in two languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// Tiếng Việt.
    pub vi: &'static str,
    /// English.
    pub en: &'static str,
}

/// The text of a reason.
pub fn of(reason: Reason) -> Text {
    let number = reason.number();
    let (vi, en) = match number / 100 {
        1 => request(reason),
        2 => directory(reason),
        3 => custody(reason),
        4 => evidence(reason),
        _ => node(reason),
    };
    Text { vi, en }
}

/// The name in error details, such as `LT302_NOT_CUSTODIAN`.
pub fn name(reason: Reason) -> String {
    let mut words = String::new();
    for c in format!("{reason:?}").chars() {
        if c.is_ascii_uppercase() {
            words.push('_');
        }
        words.push(c.to_ascii_uppercase());
    }
    format!("LT{}{words}", reason.number())
}

fn request(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::FieldMissing => (
            "Thiếu một trường bắt buộc. Hãy điền trường được nêu rồi gửi lại.",
            "A required field is missing. Fill in the field named and send again.",
        ),
        Reason::FieldTooLong => (
            "Một trường dài quá giới hạn. Hãy rút ngắn trường được nêu.",
            "A field is above its limit. Shorten the field named.",
        ),
        Reason::Undecodable => (
            "Không đọc được yêu cầu (sai mã hóa hoặc không phải UTF-8). Hãy kiểm tra phần mềm gửi.",
            "The request cannot be decoded (wrong encoding, or text that is not UTF-8). Check the sending software.",
        ),
        Reason::MessageTooLarge => (
            "Yêu cầu lớn quá giới hạn. Tệp lớn không gửi kèm trong yêu cầu.",
            "The message is above the limit. Large files do not go into the request.",
        ),
        Reason::BadDossierCode => (
            "Mã hồ sơ sai dạng. Dạng đúng: <mã cơ quan>-<yymmdd>-<số, 4 đến 7 chữ số>.",
            "The dossier code is malformed. It is <agency code>-<yymmdd>-<number of 4 to 7 digits>.",
        ),
        Reason::BadProcedureCode => (
            "Mã thủ tục hành chính sai dạng. Ví dụ đúng: 1.001193.",
            "The procedure code is malformed. A good one is 1.001193.",
        ),
        Reason::BadId => (
            "Định danh sai dạng. Định danh hồ sơ, lần chuyển là 64 chữ số thập lục phân; cơ quan là a–z 0–9 và -.",
            "An id is malformed. Ids of dossiers and hand-offs are 64 hex digits; those of agencies a–z 0–9 and -.",
        ),
        Reason::BadChoice => (
            "Giá trị không nằm trong danh mục. Hãy chọn một giá trị hợp lệ cho trường được nêu.",
            "The value is not one of the list. Choose a valid one for the field named.",
        ),
        Reason::ContentTooLarge => (
            "Nội dung hồ sơ lớn hơn 512 KiB. Tệp lớn phải gửi theo tham chiếu.",
            "The content is above 512 KiB. Larger files go by reference.",
        ),
        Reason::TooManyItems => (
            "Quá nhiều mục trong danh sách. Hãy bớt số mục của trường được nêu.",
            "The list has too many items. Send fewer in the field named.",
        ),
        _ => (
            "Con trỏ hoặc mã trang không dùng được. Hãy bắt đầu lại từ đầu danh sách.",
            "The cursor or page token cannot be used. Begin the list again.",
        ),
    }
}

fn directory(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::UnknownAgency => (
            "Cơ quan không có trong danh bạ. Hãy kiểm tra định danh hoặc cập nhật danh bạ.",
            "The agency is not in the directory. Check its id, or update the directory.",
        ),
        Reason::AgencyNotHosted => (
            "Cơ quan này không chạy trên nút được gọi. Hãy gọi nút của cơ quan đó.",
            "This node does not host the agency. Call the node that does.",
        ),
        Reason::AgencyRetired => (
            "Cơ quan này đã chấm dứt hoạt động theo quyết định đã ký của cơ quan quản lý danh bạ: không chuyển cho, thu hồi từ hay trả lại nơi đó được nữa. Hãy chuyển cho cơ quan kế thừa; `lienthong status` cho biết là cơ quan nào.",
            "The agency was retired by a signed act of the directory's authority: nothing is handed to it, recalled from it or given back to it any more. Hand it to the successor, whom `lienthong status` names.",
        ),
        _ => (
            "Danh bạ không cho phép chuyển thủ tục này từ cơ quan này đến cơ quan kia. Hãy chọn đúng nơi nhận.",
            "The directory does not allow this hand-off of this procedure. Choose the right receiver.",
        ),
    }
}

fn custody(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::DossierNotFound => (
            "Không tìm thấy hồ sơ, hoặc cơ quan này không liên quan đến hồ sơ.",
            "There is no such dossier, or the agency is no party to it.",
        ),
        Reason::NotCustodian => (
            "Cơ quan không đang giữ hồ sơ này. Hãy xem ai đang giữ bằng lệnh xem quá trình.",
            "The agency does not hold the dossier. See its trail for who does.",
        ),
        Reason::LockedByOffer => (
            "Hồ sơ đang được chuyển đi và bị khóa. Hãy chờ nơi nhận quyết định, hoặc thu hồi.",
            "The dossier is offered and locked. Wait for the receiver's decision, or recall it.",
        ),
        Reason::AlreadyDecided => (
            "Lần chuyển này đã được quyết định (đã tiếp nhận, từ chối hoặc thu hồi). Không thể quyết định lại.",
            "This hand-off is decided already (accepted, refused or recalled). It cannot be decided again.",
        ),
        Reason::NotOffered => {
            ("Hồ sơ không đang được chuyển đến cơ quan này.", "The dossier is not offered.")
        }
        Reason::AlreadyRecalled => (
            "Đã yêu cầu thu hồi trước đó. Hãy chờ nơi nhận trả lời.",
            "A recall was requested already. Wait for the receiver's answer.",
        ),
        Reason::Closed => {
            ("Hồ sơ đã trả kết quả và đã đóng.", "The result was returned; the dossier is closed.")
        }
        Reason::NotCompleted => (
            "Hồ sơ chưa giải quyết xong nên chưa thể trả kết quả. Hãy ghi hoàn thành trước.",
            "The dossier is not completed, so its result cannot be returned. Complete it first.",
        ),
        Reason::AlreadyCompleted => ("Hồ sơ đã được ghi hoàn thành.", "The dossier is completed already."),
        Reason::HandOffToSelf => (
            "Không thể chuyển hồ sơ cho chính cơ quan mình.",
            "A dossier cannot be handed to the agency that holds it.",
        ),
        Reason::TooManyHops => (
            "Hồ sơ đã được chuyển quá 256 lần. Hãy báo cơ quan quản lý.",
            "The dossier was offered more than 256 times. Tell the authority.",
        ),
        Reason::TooManyNotes => {
            ("Hồ sơ đã có 64 ghi chú, không thể thêm.", "The dossier has 64 notes; no more can be added.")
        }
        Reason::CodeInUse => (
            "Mã hồ sơ đã được dùng tại cơ quan này. Hãy dùng mã khác hoặc để trống để hệ thống cấp.",
            "The dossier code is used at this agency. Use another, or leave it empty to be issued one.",
        ),
        Reason::IdempotencyConflict => (
            "Khóa chống lặp đã dùng cho một yêu cầu có nội dung khác. Hãy dùng khóa mới cho yêu cầu mới.",
            "The idempotency key was used for a request with other content. Use a new key for a new request.",
        ),
        Reason::TrailTooLarge => (
            "Quá trình luân chuyển của hồ sơ đã quá lớn để chuyển tiếp hoặc xuất chứng cứ. Hãy hoàn thành tại cơ quan đang giữ và báo quản trị.",
            "The dossier's trail is too large to be handed on with its content, or to be exported. Complete it where it is, and tell the operator.",
        ),
        Reason::ContentLost => (
            "Nội dung của hồ sơ đã mất khi nút khôi phục từ bản sao cũ, và không nơi nào khác có. Quá trình luân chuyển vẫn nguyên vẹn; hãy đề nghị công dân nộp lại nội dung thành hồ sơ mới.",
            "The dossier's content was lost with an old copy of this node, and nobody else has it. Its trail is whole; ask the applicant to hand the content in again as a new dossier.",
        ),
        _ => (
            "Số hồ sơ trong ngày đã hết. Hãy nhập mã hồ sơ.",
            "The day's dossier numbers are used up. Give a dossier code.",
        ),
    }
}

fn evidence(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::BadSignature => (
            "Chữ ký không đúng: nội dung đã bị sửa hoặc ký bằng khóa khác.",
            "The signature is wrong: the content was altered or signed with another key.",
        ),
        Reason::UnknownKey => (
            "Khóa ký không có trong danh bạ. Hãy cập nhật danh bạ ở cả hai bên.",
            "The signing key is not in the directory. Update the directory on both sides.",
        ),
        Reason::MalformedStatement => {
            ("Chứng từ sai cấu trúc hoặc vượt giới hạn.", "The statement is malformed or above a limit.")
        }
        Reason::UnknownStatementType => (
            "Loại chứng từ chưa được phiên bản này hiểu. Hãy nâng cấp nút.",
            "This version does not know the type of statement. Upgrade the node.",
        ),
        Reason::SenderMismatch => (
            "Người gửi không phải người lập chứng từ: có thể là gửi lại trái phép.",
            "The sender is not the maker of the statement: possibly a replay.",
        ),
        Reason::WrongReceiver => ("Chứng từ nêu nơi nhận khác.", "The statement names another receiver."),
        Reason::BadCertificate => (
            "Chuỗi chứng từ bàn giao kèm theo không hợp lệ.",
            "The custody certificate beside the statement is not valid.",
        ),
        Reason::Fork => (
            "Chứng từ mâu thuẫn với điều đã biết về hồ sơ: có hai nhánh. Hãy giữ làm bằng chứng và báo cơ quan quản lý.",
            "The statement contradicts what is known of the dossier: a fork. Keep it as evidence and tell the authority.",
        ),
        Reason::UnknownTransfer => (
            "Chứng từ về một lần chuyển không liên quan đến cơ quan này.",
            "The statement is about a hand-off that this agency is no party to.",
        ),
        Reason::ContentMismatch => (
            "Nội dung gửi kèm không khớp với cam kết đã ký.",
            "The content does not match the signed commitment.",
        ),
        Reason::CancelByStranger => {
            ("Yêu cầu thu hồi không phải của bên đã chuyển.", "The recall is not by the giver.")
        }
        Reason::HandlerCrashed => (
            "Xử lý gói tin này đã làm nút dừng ba lần. Gói tin được cách ly; hãy báo nhà cung cấp phần mềm.",
            "Handling this envelope ended the node three times. It is kept aside; tell whoever maintains the software.",
        ),
        Reason::EnvelopeTooLarge => ("Gói tin lớn quá giới hạn.", "The envelope is above the limit."),
        Reason::Fenced => (
            "Chứng từ thuộc một đời trước của nơi gửi, từ trước khi nơi đó khôi phục từ bản sao cũ, nên không còn hiệu lực.",
            "The statement is of an earlier incarnation of its sender, from before it was restored from an old copy, and stands no more.",
        ),
        Reason::MakerRetired => (
            "Nơi lập chứng từ đã chấm dứt hoạt động theo quyết định đã ký của cơ quan quản lý danh bạ: chứng từ đến sau không còn hiệu lực. Hãy giữ làm bằng chứng.",
            "The maker was retired by a signed act of the directory's authority: what comes after that stands no more. Keep it as evidence.",
        ),
        _ => (
            "Có chứng từ mang chữ ký của chính cơ quan này nhưng không có trong sổ: một bản khác đang chạy, hoặc dữ liệu là bản cũ. Dừng nút và báo quản trị.",
            "A statement with this agency's own signature is not in its ledger: another copy runs, or the data is old. The node stops; tell the operator.",
        ),
    }
}

fn node(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Overloaded => (
            "Nút đang quá tải và chưa nhận yêu cầu này. Hãy gửi lại sau với cùng khóa chống lặp.",
            "The node is overloaded and has not taken the request. Try again with the same key.",
        ),
        Reason::ShuttingDown => (
            "Nút đang dừng. Hãy gửi lại sau với cùng khóa chống lặp.",
            "The node is shutting down. Try again with the same key.",
        ),
        Reason::Recovering => (
            "Nút vừa được khôi phục từ bản sao cũ và đang lấy lại từ các nơi những gì đã mất. Chỉ tiếp nhận hồ sơ mới; hãy gửi lại sau (`lienthong status` cho biết đang chờ ai).",
            "The node was restored from an old copy and is collecting from its peers what it lost. Only new dossiers are taken in; try again later (`lienthong status` says who is waited for).",
        ),
        Reason::Retired => (
            "Chính cơ quan này đã chấm dứt hoạt động theo quyết định đã ký của cơ quan quản lý danh bạ: nút không làm gì cho cơ quan này nữa. Chỉ còn xem và xuất chứng cứ.",
            "This agency itself was retired by a signed act of the directory's authority: the node does nothing for it any more. Only looking and exporting evidence is left.",
        ),
        Reason::StorageFull => (
            "Đĩa của nút sắp đầy: nút không nhận việc mới; tiếp nhận, từ chối, thu hồi và trả kết quả vẫn làm được. Hãy báo quản trị, rồi gửi lại với cùng khóa chống lặp.",
            "The node's disk is nearly full: nothing new is begun; accepting, refusing, recalling and returning results still work. Tell the operator, and try again with the same key.",
        ),
        Reason::PeerBacklog => (
            "Đang có quá nhiều chứng từ chờ nơi nhận này. Hãy chờ nơi nhận hoạt động lại, rồi gửi lại với cùng khóa chống lặp.",
            "Too much waits for this receiver already. Wait until it works again, and try again with the same key.",
        ),
        Reason::NotInQuarantine => (
            "Không có gói tin này trong khu cách ly: số sai, đã cho xử lý lại hoặc đã bỏ.",
            "There is no such envelope in quarantine: the number is wrong, or it was released or discarded.",
        ),
        _ => (
            "Nút không ghi được dữ liệu và đã dừng. Không rõ yêu cầu đã ghi hay chưa: hãy gửi lại với cùng khóa chống lặp sau khi khắc phục.",
            "The node could not write and has stopped. Whether the request was written is unknown: repeat it with the same key once it is mended.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn every_reason_has_texts_of_its_own_in_both_languages() {
        let mut seen = BTreeMap::new();
        for reason in Reason::ALL {
            let text = of(reason);
            assert!(!text.vi.is_ascii(), "{reason:?} is not in Vietnamese");
            assert!(text.en.len() > 10, "{reason:?}");
            assert_eq!(seen.insert(text.en, reason), None, "{reason:?} has the text of another");
        }
    }

    #[test]
    fn names_carry_the_number() {
        assert_eq!(name(Reason::NotCustodian), "LT302_NOT_CUSTODIAN");
        assert_eq!(name(Reason::BadId), "LT107_BAD_ID");
    }
}
