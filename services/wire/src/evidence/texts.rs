//! The words for faults, in Vietnamese and in English. The Vietnamese texts are what an inspector reads.

use super::fault::{Fault, Position, What};
use lienthong_core::custody::spine::Break;
use std::fmt;

impl Fault {
    /// The fault in Vietnamese.
    pub fn vietnamese(&self) -> String {
        match self.at {
            Position::File => format!("tệp bằng chứng: {}", vi(&self.what)),
            Position::Link { number, index } => {
                format!("mắt xích {number} (bản ghi {} của sổ): {}", index.0, vi(&self.what))
            }
        }
    }

    /// The fault in English.
    pub fn english(&self) -> String {
        match self.at {
            Position::File => format!("evidence file: {}", en(&self.what)),
            Position::Link { number, index } => {
                format!("link {number} (ledger record {}): {}", index.0, en(&self.what))
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.vietnamese(), self.english())
    }
}

fn vi(what: &What) -> String {
    match what {
        What::TooLarge => "vượt quá giới hạn kích thước".into(),
        What::Undecodable => "không phải là tệp bằng chứng hoặc đã hỏng".into(),
        What::Format(n) => format!("định dạng {n} chưa được biết đến"),
        What::Field(name) => format!("trường {name} bị thiếu hoặc sai"),
        What::Directory(faults) => format!("danh bạ kèm theo có lỗi: {faults}"),
        What::Link => "không phải là mã băm hay bản ghi".into(),
        What::Record(error) => format!("không đọc được bản ghi ({error})"),
        What::Signature(reason) => format!("chữ ký hoặc nội dung ký không hợp lệ (mã {})", reason.number()),
        What::Foreign => "bản ghi không thuộc hồ sơ này".into(),
        What::Twice(sid) => format!("văn bản {} xuất hiện hai lần", sid.short()),
        What::NotMadeHere(maker) => format!("ghi là lập tại đây nhưng do {maker} lập"),
        What::TakenFromSelf => "ghi là nhận từ nơi khác nhưng do chính cơ quan này lập".into(),
        What::Place(index) => format!("văn bản khai vị trí {} trong sổ, khác vị trí thực", index.0),
        What::Head => "đầu sổ được khai không nằm trên chuỗi: có bản ghi bị sửa, bỏ hoặc chèn".into(),
        What::NoCheckpoint => "mắt xích cuối không phải là điểm chốt của cơ quan này".into(),
        What::EarlyCheckpoint => "điểm chốt không nằm ở cuối".into(),
        What::Unattested => "bản ghi nằm sau đầu sổ được điểm chốt xác nhận".into(),
        What::NoIntake => "thiếu văn bản tiếp nhận hồ sơ".into(),
        What::Fork(sid) => format!("hai văn bản cùng nối tiếp {}", sid.short()),
        What::Spine(cause) => spine_vi(*cause).into(),
        What::Stranger(maker) => format!("{maker} không phải là bên của lần bàn giao này"),
    }
}

fn spine_vi(cause: Break) -> &'static str {
    match cause {
        Break::Intake => "chuỗi xử lý phải bắt đầu bằng đúng một văn bản tiếp nhận",
        Break::Track => "văn bản thuộc hồ sơ khác",
        Break::Predecessor => "văn bản nối tiếp sai văn bản trước",
        Break::Holder => "người lập không phải là cơ quan đang giữ hồ sơ",
        Break::Hop => "số thứ tự bàn giao không tăng",
        Break::Successor => {
            "không có quyết định nêu cơ quan đang giữ chấm dứt hoạt động và nơi lập là cơ quan kế thừa"
        }
        Break::Act => "không có quyết định chấm dứt hoạt động của bên nhận kèm theo việc nhận lại",
        Break::Receiver => "quyết định không phải của cơ quan được bàn giao",
        Break::Offered => "hồ sơ đang chờ quyết định bàn giao, hoặc không có gì để quyết định",
        Break::Order => "hồ sơ đã đóng, hoặc hoàn thành và trả kết quả sai thứ tự",
        Break::Notes => "có quá nhiều ghi chú",
        Break::Content => "nội dung bàn giao khác nội dung đã tiếp nhận",
        Break::Kind => "loại văn bản không thuộc chuỗi xử lý",
    }
}

fn en(what: &What) -> String {
    match what {
        What::TooLarge => "is above the size limit".into(),
        What::Undecodable => "is no evidence file, or is damaged".into(),
        What::Format(n) => format!("has format {n}, which is not known"),
        What::Field(name) => format!("field {name} is missing or wrong"),
        What::Directory(faults) => format!("its directory is wrong: {faults}"),
        What::Link => "is neither a hash nor a record".into(),
        What::Record(error) => format!("the record cannot be read: {error}"),
        What::Signature(reason) => {
            format!("the signed statement does not verify (reason {})", reason.number())
        }
        What::Foreign => "the record is not about this dossier".into(),
        What::Twice(sid) => format!("statement {} is shown twice", sid.short()),
        What::NotMadeHere(maker) => format!("said to be made here, but made by {maker}"),
        What::TakenFromSelf => "said to come from elsewhere, but made by this agency".into(),
        What::Place(index) => {
            format!("the statement claims ledger place {}, which is not its place", index.0)
        }
        What::Head => {
            "the head it claims is not on the chain: a record was changed, left out or put in".into()
        }
        What::NoCheckpoint => "the last link is no checkpoint of this agency".into(),
        What::EarlyCheckpoint => "a checkpoint is not the last link".into(),
        What::Unattested => "the record comes after the head that the checkpoint attests".into(),
        What::NoIntake => "the intake of the dossier is missing".into(),
        What::Fork(sid) => format!("two statements follow {}", sid.short()),
        What::Spine(cause) => cause.to_string(),
        What::Stranger(maker) => format!("{maker} is no party to this hand-off"),
    }
}
