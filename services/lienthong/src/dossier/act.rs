//! The arguments of the changing commands.

use std::path::PathBuf;

use clap::ValueEnum;
use lienthong_core::limits;
use lienthong_proto::v1::{AckLevel, Channel, HandOffKind, PaperItem, Resolution};

use crate::client::Acting;
use crate::time;

/// `submit`
#[derive(Debug, clap::Args)]
pub(super) struct Submit {
    #[command(flatten)]
    pub acting: Acting,
    /// Procedure code (mã thủ tục), such as 1.001193
    #[arg(long, value_name = "CODE")]
    pub procedure: String,
    /// Version of the procedure
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub procedure_version: u32,
    /// How it came in
    #[arg(long)]
    pub channel: ChannelWord,
    /// Dossier code (mã hồ sơ) [default: the node issues one]
    #[arg(long, value_name = "CODE")]
    pub code: Option<String>,
    /// File with the form's data, at most 512 KiB; - for standard input
    #[arg(long, value_name = "FILE")]
    pub content: Option<PathBuf>,
    /// The promised time (hẹn trả), dd/MM/yyyy HH:mm, UTC+7
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub due: Option<i64>,
    /// A paper that comes with it, NAME or NAME=COPIES; may be repeated
    #[arg(long, value_name = "PAPER", value_parser = paper)]
    pub paper: Vec<PaperItem>,
}

/// `offer`
#[derive(Debug, clap::Args)]
pub(super) struct Offer {
    #[command(flatten)]
    pub acting: Acting,
    /// Dossier code or id
    pub dossier: String,
    /// The receiving agency, by its id in the directory
    #[arg(long, value_name = "AGENCY")]
    pub to: String,
    /// Why it is handed over
    #[arg(long, default_value = "forward")]
    pub kind: KindWord,
    /// The step of the procedure that the receiver is to do
    #[arg(long, default_value = "")]
    pub step: String,
    /// When the receiver should be done, dd/MM/yyyy HH:mm, UTC+7
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub due: Option<i64>,
    /// A paper that goes along, NAME or NAME=COPIES; may be repeated
    #[arg(long, value_name = "PAPER", value_parser = paper)]
    pub paper: Vec<PaperItem>,
    /// A remark for the receiver
    #[arg(long, default_value = "")]
    pub note: String,
    /// Answer only when this level is reached, or --wait-ms is over
    #[arg(long, value_name = "LEVEL")]
    pub wait: Option<LevelWord>,
    /// The longest wait for --wait, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(..=60_000))]
    pub wait_ms: u32,
}

/// `accept`
#[derive(Debug, clap::Args)]
pub(super) struct Accept {
    #[command(flatten)]
    pub acting: Acting,
    /// Dossier code or id
    pub dossier: String,
    /// Id of the transfer [default: the one that is open]
    #[arg(long, value_name = "ID", default_value = "")]
    pub hand_off: String,
    /// A remark
    #[arg(long, default_value = "")]
    pub note: String,
}

/// `refuse`
#[derive(Debug, clap::Args)]
pub(super) struct Refuse {
    #[command(flatten)]
    pub acting: Acting,
    /// Dossier code or id
    pub dossier: String,
    /// Id of the transfer [default: the one that is open]
    #[arg(long, value_name = "ID", default_value = "")]
    pub hand_off: String,
    /// Why it is refused; the giver reads this
    #[arg(long)]
    pub reason: String,
}

/// `recall`
#[derive(Debug, clap::Args)]
pub(super) struct Recall {
    #[command(flatten)]
    pub acting: Acting,
    /// Dossier code or id
    pub dossier: String,
    /// Why it is asked back
    #[arg(long)]
    pub reason: String,
}

/// `note`
#[derive(Debug, clap::Args)]
pub(super) struct Note {
    #[command(flatten)]
    pub acting: Acting,
    /// Dossier code or id
    pub dossier: String,
    /// The remark
    pub text: String,
}

/// `complete`
#[derive(Debug, clap::Args)]
pub(super) struct Complete {
    #[command(flatten)]
    pub acting: Acting,
    /// Dossier code or id
    pub dossier: String,
    /// How the work ended
    #[arg(long, default_value = "resolved")]
    pub resolution: ResolutionWord,
    /// A remark, such as the name of the result
    #[arg(long, default_value = "")]
    pub note: String,
}

/// `return`
#[derive(Debug, clap::Args)]
pub(super) struct Return {
    #[command(flatten)]
    pub acting: Acting,
    /// Dossier code or id
    pub dossier: String,
    /// How the result goes out
    #[arg(long)]
    pub channel: ChannelWord,
    /// A remark
    #[arg(long, default_value = "")]
    pub note: String,
}

/// Channels on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ChannelWord {
    /// Trực tiếp
    Counter,
    /// Trực tuyến
    Online,
    /// Bưu chính công ích
    Post,
}

/// Kinds of hand-off on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum KindWord {
    /// Chuyển xử lý
    Forward,
    /// Chuyển trả
    Return,
    /// Lấy ý kiến
    Consult,
    /// Trả lời ý kiến
    Answer,
    /// Bổ sung
    Supplement,
    /// Chuyển kết quả
    Result,
    /// Chuyển nhầm, không đúng thẩm quyền
    Misrouted,
}

/// Levels that can be waited for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LevelWord {
    /// Durable at the receiver, signed for by its node
    Received,
    /// Accepted or refused
    Decided,
}

/// How work ends.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ResolutionWord {
    /// Đã giải quyết
    Resolved,
    /// Từ chối giải quyết
    Denied,
    /// Công dân rút hồ sơ
    Withdrawn,
    /// Dừng giải quyết
    Stopped,
}

impl From<ChannelWord> for Channel {
    fn from(word: ChannelWord) -> Self {
        match word {
            ChannelWord::Counter => Channel::Counter,
            ChannelWord::Online => Channel::Online,
            ChannelWord::Post => Channel::Post,
        }
    }
}

impl From<KindWord> for HandOffKind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Forward => HandOffKind::Forward,
            KindWord::Return => HandOffKind::Return,
            KindWord::Consult => HandOffKind::Consult,
            KindWord::Answer => HandOffKind::Answer,
            KindWord::Supplement => HandOffKind::Supplement,
            KindWord::Result => HandOffKind::Result,
            KindWord::Misrouted => HandOffKind::Misrouted,
        }
    }
}

impl From<LevelWord> for AckLevel {
    fn from(word: LevelWord) -> Self {
        match word {
            LevelWord::Received => AckLevel::Received,
            LevelWord::Decided => AckLevel::Decided,
        }
    }
}

impl From<ResolutionWord> for Resolution {
    fn from(word: ResolutionWord) -> Self {
        match word {
            ResolutionWord::Resolved => Resolution::Resolved,
            ResolutionWord::Denied => Resolution::Denied,
            ResolutionWord::Withdrawn => Resolution::Withdrawn,
            ResolutionWord::Stopped => Resolution::Stopped,
        }
    }
}

/// `NAME` or `NAME=COPIES`.
fn paper(text: &str) -> Result<PaperItem, String> {
    let (name, copies) = match text.rsplit_once('=') {
        Some((name, copies)) => {
            let copies = copies.parse().map_err(|_| format!("'{copies}' is no number of copies"))?;
            (name, copies)
        }
        None => (text, 1),
    };
    let name = name.trim();
    if name.is_empty() || name.len() > limits::PAPER_BYTES {
        return Err(format!("the name of a paper has 1 to {} bytes", limits::PAPER_BYTES));
    }
    Ok(PaperItem { name: name.to_owned(), copies })
}

#[cfg(test)]
mod tests {
    use super::paper;

    #[test]
    fn papers_have_names_and_copies() {
        assert_eq!(paper("Tờ khai").map(|p| (p.name, p.copies)), Ok(("Tờ khai".into(), 1)));
        assert_eq!(paper("Giấy chứng sinh=2").map(|p| (p.name, p.copies)), Ok(("Giấy chứng sinh".into(), 2)));
        assert!(paper("").is_err() && paper("Bản sao=hai").is_err());
    }
}
