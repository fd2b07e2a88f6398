//! One readable line for each act, and a bar below them.

use indicatif::{ProgressBar, ProgressStyle};

use super::{Act, Deed};
use crate::names::Names;

/// Where a performance is told.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// On the terminal. Without one, the lines are printed and the bar is not.
    pub(crate) fn on_terminal() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} việc  {elapsed}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    pub(super) fn begin(&self, acts: usize) {
        self.bar.set_length(acts as u64);
    }

    pub(super) fn tell(&self, act: &Act, names: &Names, code: &str, procedure: &str, outcome: &str) {
        let line = line(act, names, code, procedure, outcome);
        self.bar.suspend(|| println!("{line}"));
        self.bar.inc(1);
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// `08:05  Xã An Thạnh 1 → Huyện Cù Lao Dung  giao H51.40.02-240115-0001 (Đăng ký khai sinh)`
fn line(act: &Act, names: &Names, code: &str, procedure: &str, outcome: &str) -> String {
    let agency = names.short(&act.agency);
    let (party, verb) = match &act.deed {
        Deed::Submit { .. } => (agency, "tiếp nhận"),
        Deed::Offer { to, .. } => (format!("{agency} → {}", names.short(to)), "giao"),
        Deed::Accept { .. } => (agency, "ký nhận"),
        Deed::Refuse { .. } => (agency, "từ chối nhận"),
        Deed::Recall { .. } => (agency, "xin lấy lại"),
        Deed::Note { .. } => (agency, "ghi chú"),
        Deed::Complete { .. } => (agency, "hoàn thành"),
        Deed::Return { .. } => (agency, "trả kết quả"),
    };
    let said = match &act.deed {
        Deed::Refuse { reason } | Deed::Recall { reason, .. } => format!(": {reason}"),
        Deed::Submit { .. }
        | Deed::Offer { .. }
        | Deed::Accept { .. }
        | Deed::Note { .. }
        | Deed::Complete { .. }
        | Deed::Return { .. } => String::new(),
    };
    format!("{}  {party}  {verb} {code} ({procedure}){said}{outcome}", act.clock)
}

#[cfg(test)]
mod tests {
    use super::line;
    use crate::names::Names;
    use crate::play::parse;

    #[test]
    fn a_line_says_who_what_and_which() {
        let text = "officer xa-an-thanh-1 1 \"Lan\"\n\
            08:00 xa-an-thanh-1 submit d procedure=1.001193 channel=counter content=x\n\
            08:05 xa-an-thanh-1 offer d to=huyen-cu-lao-dung kind=forward step=x\n";
        let play = parse(text).unwrap();
        let names =
            Names::from_directory(include_str!("../../../../deploy/example/soc-trang-2024.toml")).unwrap();
        assert_eq!(
            line(&play.acts[1], &names, "H51.40.02-240115-0001", "Đăng ký khai sinh", ""),
            "08:05  Xã An Thạnh 1 → Huyện Cù Lao Dung  giao H51.40.02-240115-0001 (Đăng ký khai sinh)"
        );
    }
}
