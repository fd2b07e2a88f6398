//! From statements to lines, in the order of the trail.

use std::collections::BTreeMap;

use lienthong_proto::v1::{
    Accept, Cancel, Channel, Claim, Completed, GetTrailResponse, HandOffKind, Intake, Note, Offer, PaperItem,
    Reclaim, RefusalCause, Refuse, Resolution, Returned, Succeed, TrailEntry,
};

use super::{Row, Sheet, Work};
use crate::names::Names;
use crate::statement::{self, Body};
use crate::{time, words};

/// Digits of a statement's id on paper: enough to find it, few enough to read out.
const SHORT_ID: usize = 8;

/// The lines of a transfer, and when the receiver should be done.
#[derive(Clone, Copy)]
struct Transfer {
    giver: usize,
    receiver: usize,
    due: Option<i64>,
}

struct Builder<'a> {
    names: &'a Names,
    sheet: Sheet,
    /// The line of the agency that holds the dossier.
    holder: usize,
    /// When the work was completed.
    completed: Option<i64>,
    hops: u32,
    transfers: BTreeMap<String, Transfer>,
}

/// Builds the sheet.
pub(super) fn build(trail: &GetTrailResponse, names: &Names) -> Sheet {
    let mut builder = Builder {
        names,
        sheet: Sheet::default(),
        holder: 0,
        completed: None,
        hops: 0,
        transfers: BTreeMap::new(),
    };
    trail.entries.iter().for_each(|entry| builder.entry(entry));
    builder.sheet
}

impl Builder<'_> {
    fn entry(&mut self, entry: &TrailEntry) {
        let Some(statement) = &entry.statement else { return };
        let sid = short(&entry.statement_id);
        match statement::read(statement) {
            Some(Body::Intake(b)) => self.intake(&b, sid),
            Some(Body::Note(b)) => self.note(&b, &sid),
            Some(Body::Offer(b)) => self.offer(&b, &entry.statement_id, sid),
            Some(Body::Accept(b)) => self.accept(&b, sid),
            Some(Body::Refuse(b)) => self.refuse(&b, sid),
            Some(Body::Reclaim(b)) => self.reclaim(&b, sid),
            Some(Body::Succeed(b)) => self.succeed(&b, sid),
            Some(Body::Cancel(b)) => self.cancel(&b, &sid),
            Some(Body::Completed(b)) => self.complete(&b, &sid),
            Some(Body::Returned(b)) => self.returned(&b, sid),
            // Receipts of nodes move nothing, and only two agencies know them.
            Some(Body::Beside) => {}
            None => {
                self.remark(self.holder, format!("phát biểu không đọc được: {} [{sid}]", statement.r#type))
            }
        }
    }

    fn intake(&mut self, body: &Intake, sid: String) {
        let agency = maker(body.claim.as_ref());
        self.sheet.code = body.dossier_code.clone();
        self.sheet.procedure = match self.names.procedure(&body.procedure_code) {
            name if name == body.procedure_code => name.to_owned(),
            name => format!("{name} ({})", body.procedure_code),
        };
        self.sheet.channel = words::channel(Channel::try_from(body.channel).unwrap_or_default());
        self.sheet.received_at = self.names.agency(&agency).to_owned();
        self.sheet.due = body.due_at_ms;
        let mut row = self.row("Tiếp nhận:".to_owned(), &agency, body.claim.as_ref(), "Người tiếp nhận", sid);
        // The promised time is that of the whole dossier, judged where the result is returned.
        row.work = Work::Timed { due: None, finished: None };
        row.remarks.extend(papers(&body.paper_items));
        self.holder = self.push(row);
        self.sheet.custodian = row_agency(&self.sheet, self.holder);
    }

    fn offer(&mut self, body: &Offer, tid: &str, sid: String) {
        let at = body.claim.as_ref().map(|c| c.made_at_ms);
        self.finish(at);
        self.hops += 1;
        let kind = HandOffKind::try_from(body.kind).unwrap_or_default();
        let from = maker(body.claim.as_ref());
        let mut giver =
            self.row(format!("{}. Giao:", self.hops), &from, body.claim.as_ref(), "Người giao", sid);
        let mut what = capital(words::kind(kind));
        if !body.step.is_empty() {
            what = format!("{what}: {}", body.step);
        }
        giver.remarks.push(what);
        giver.remarks.extend(body.due_at_ms.map(|due| format!("Hạn: {}", time::short(due))));
        giver.remarks.extend(papers(&body.paper_items));
        giver.remarks.extend(said(&body.note));
        let giver = self.push(giver);
        let receiver = self.push(Row {
            title: "    Nhận:".to_owned(),
            agency: self.names.agency(&body.to).to_owned(),
            work: Work::Said("Chờ tiếp nhận"),
            ..Row::default()
        });
        self.transfers.insert(tid.to_owned(), Transfer { giver, receiver, due: body.due_at_ms });
    }

    fn accept(&mut self, body: &Accept, sid: String) {
        let Some(&Transfer { receiver: line, due, .. }) = self.transfers.get(&hex::encode(&body.tid)) else {
            return;
        };
        self.sign(line, body.claim.as_ref(), "Người nhận", sid);
        self.sheet.rows[line].work = Work::Timed { due, finished: None };
        self.sheet.rows[line].remarks = said(&body.note).into_iter().collect();
        self.holder = line;
        self.sheet.custodian = row_agency(&self.sheet, line);
    }

    fn refuse(&mut self, body: &Refuse, sid: String) {
        let Some(&Transfer { receiver: line, .. }) = self.transfers.get(&hex::encode(&body.tid)) else {
            return;
        };
        self.sign(line, body.claim.as_ref(), "Người trả lời", sid);
        let (word, cause) = match RefusalCause::try_from(body.cause).unwrap_or_default() {
            RefusalCause::Recalled => ("ĐÃ LẤY LẠI", "Bên giao lấy lại trước khi bên nhận ký"),
            RefusalCause::Policy => ("TỪ CHỐI NHẬN", "Danh bạ không cho phép chuyển giao này"),
            RefusalCause::Officer
            | RefusalCause::Unspecified
            | RefusalCause::Reclaimed
            | RefusalCause::Succeeded => ("TỪ CHỐI NHẬN", ""),
        };
        self.sheet.rows[line].work = Work::Said(word);
        self.sheet.rows[line].remarks = said(cause).into_iter().chain(said(&body.reason)).collect();
        self.goes_on();
    }

    /// The receiver is retired; its giver says so, for it never will.
    fn reclaim(&mut self, body: &Reclaim, sid: String) {
        let Some(&Transfer { receiver: line, .. }) = self.transfers.get(&hex::encode(&body.tid)) else {
            return;
        };
        self.sign(line, body.claim.as_ref(), "", sid);
        self.sheet.rows[line].work = Work::Said("BÊN GIAO NHẬN LẠI");
        let why = "Bên nhận đã chấm dứt hoạt động và chưa ký nhận";
        self.sheet.rows[line].remarks = said(why).into_iter().collect();
        self.goes_on();
    }

    /// The custodian is retired; its successor goes on in its place, under the same dates.
    fn succeed(&mut self, body: &Succeed, sid: String) {
        let at = body.claim.as_ref().map(|c| c.made_at_ms);
        self.finish(at);
        if let Some(Transfer { receiver: line, .. }) = self.transfers.get(&hex::encode(&body.prev)) {
            self.sheet.rows[*line].work = Work::Said("KHÔNG ĐẾN NƠI NHẬN");
        }
        let by = maker(body.claim.as_ref());
        let mut row = self.row("Kế thừa:".to_owned(), &by, body.claim.as_ref(), "", sid);
        row.work = Work::Timed { due: None, finished: None };
        row.remarks.push(format!(
            "Tiếp nhận theo quyết định: {} đã chấm dứt hoạt động; mã hồ sơ và hạn trả giữ nguyên",
            row_agency(&self.sheet, self.holder)
        ));
        self.holder = self.push(row);
        self.sheet.custodian = row_agency(&self.sheet, self.holder);
    }

    fn goes_on(&mut self) {
        // The giver holds it again and goes on working.
        if self.completed.is_none()
            && let Work::Timed { finished, .. } = &mut self.sheet.rows[self.holder].work
        {
            *finished = None;
        }
    }

    fn cancel(&mut self, body: &Cancel, sid: &str) {
        let Some(&Transfer { giver: line, .. }) = self.transfers.get(&hex::encode(&body.tid)) else { return };
        self.remark(line, format!("Xin lấy lại: {}{} [{sid}]", body.reason, by(body.claim.as_ref())));
    }

    fn note(&mut self, body: &Note, sid: &str) {
        self.remark(self.holder, format!("{}{} [{sid}]", body.text, by(body.claim.as_ref())));
    }

    fn complete(&mut self, body: &Completed, sid: &str) {
        self.finish(body.claim.as_ref().map(|c| c.made_at_ms));
        self.completed = body.claim.as_ref().map(|c| c.made_at_ms);
        let word = capital(words::resolution(Resolution::try_from(body.resolution).unwrap_or_default()));
        let note = if body.note.is_empty() { String::new() } else { format!(": {}", body.note) };
        self.remark(self.holder, format!("{word}{note}{} [{sid}]", by(body.claim.as_ref())));
    }

    fn returned(&mut self, body: &Returned, sid: String) {
        let agency = maker(body.claim.as_ref());
        let mut row = self.row("Trả kết quả:".to_owned(), &agency, body.claim.as_ref(), "Người trả", sid);
        let at = body.claim.as_ref().map(|c| c.made_at_ms);
        self.finish(at);
        if let Some(due) = self.sheet.due {
            row.work = Work::Timed { due: Some(due), finished: self.completed.or(at) };
        }
        row.remarks.push(capital(words::channel(Channel::try_from(body.channel).unwrap_or_default())));
        row.remarks.extend(said(&body.note));
        self.push(row);
        self.sheet.closed = true;
    }

    fn row(
        &self,
        title: String,
        agency: &str,
        claim: Option<&Claim>,
        role: &'static str,
        sid: String,
    ) -> Row {
        Row {
            title,
            agency: self.names.agency(agency).to_owned(),
            officer: officer(claim).map(|name| (role, name)),
            at: claim.map(|c| c.made_at_ms),
            sid: Some(sid),
            ..Row::default()
        }
    }

    fn sign(&mut self, line: usize, claim: Option<&Claim>, role: &'static str, sid: String) {
        let row = &mut self.sheet.rows[line];
        row.officer = officer(claim).map(|name| (role, name));
        row.at = claim.map(|c| c.made_at_ms);
        row.sid = Some(sid);
    }

    fn push(&mut self, row: Row) -> usize {
        self.sheet.rows.push(row);
        self.sheet.rows.len() - 1
    }

    fn remark(&mut self, line: usize, text: String) {
        if let Some(row) = self.sheet.rows.get_mut(line) {
            row.remarks.push(text);
        }
    }

    /// The holder's work ends with its completion, or with the first hand-off that is taken.
    fn finish(&mut self, at: Option<i64>) {
        if let Some(Row { work: Work::Timed { finished, .. }, .. }) = self.sheet.rows.get_mut(self.holder)
            && finished.is_none()
        {
            *finished = at;
        }
    }
}

fn maker(claim: Option<&Claim>) -> String {
    claim.map(|c| c.agency.clone()).unwrap_or_default()
}

fn officer(claim: Option<&Claim>) -> Option<String> {
    Some(claim?.officer.as_ref()?.name.clone())
}

fn by(claim: Option<&Claim>) -> String {
    let name = officer(claim).map(|name| format!(", {name}")).unwrap_or_default();
    claim.map(|c| format!(" ({}{name})", time::short(c.made_at_ms))).unwrap_or_default()
}

fn papers(items: &[PaperItem]) -> Option<String> {
    let item = |p: &PaperItem| match p.copies {
        0 | 1 => p.name.clone(),
        n => format!("{} ({n} bản)", p.name),
    };
    (!items.is_empty()).then(|| format!("Giấy tờ: {}", items.iter().map(item).collect::<Vec<_>>().join("; ")))
}

fn said(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn row_agency(sheet: &Sheet, line: usize) -> String {
    sheet.rows.get(line).map(|row| row.agency.clone()).unwrap_or_default()
}

fn short(id: &str) -> String {
    id.chars().take(SHORT_ID).collect()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
