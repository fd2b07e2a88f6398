//! Reads a play. All faults are reported together, each with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use lienthong_proto::v1::{Channel, HandOffKind};

use super::words::split;
use super::{Act, Deed, Expectation, Officer, Play, Race, State};

/// Bytes of a play: a long morning is 40 KB.
const PLAY_BYTES: usize = 4 << 20;
/// Bytes of a dossier's label.
const LABEL_BYTES: usize = 40;
/// Hours of a due time: a year.
const DUE_HOURS: u32 = 24 * 366;

/// What is wrong with a play.
#[derive(Debug)]
pub(crate) struct Faults(Vec<(usize, String)>);

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the play has {} fault(s)", self.0.len())?;
        self.0.iter().try_for_each(|(line, fault)| write!(f, "\n  line {line}: {fault}"))
    }
}

#[derive(Default)]
struct Reader {
    play: Play,
    officers: BTreeMap<String, Vec<Officer>>,
    submitted: BTreeSet<String>,
    last_clock: String,
}

/// Reads a play.
pub(crate) fn parse(text: &str) -> Result<Play, Faults> {
    if text.len() > PLAY_BYTES {
        return Err(Faults(vec![(1, format!("a play has at most {PLAY_BYTES} bytes"))]));
    }
    let mut reader = Reader::default();
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        if line.trim_start_matches(' ').is_empty() || line.trim_start_matches(' ').starts_with('#') {
            continue;
        }
        if let Err(fault) = split(line).and_then(|words| reader.line(line_number, &words)) {
            faults.push((line_number, fault));
        }
    }
    if faults.is_empty() { Ok(reader.play) } else { Err(Faults(faults)) }
}

impl Reader {
    fn line(&mut self, line: usize, words: &[String]) -> Result<(), String> {
        match words {
            [word, agency, id, name] if word == "officer" => {
                let officers = self.officers.entry(agency.clone()).or_default();
                if officers.iter().any(|o| o.id == *id) {
                    return Err(format!("{agency} already has an officer {id}"));
                }
                officers.push(Officer { id: id.clone(), name: name.clone() });
                Ok(())
            }
            [word, ..] if word == "officer" => {
                Err("write: officer <agency> <officer-id> \"<name>\"".to_owned())
            }
            [word, dossier, fields @ ..] if word == "expect" => self.expect(line, dossier, fields),
            [clock, agency, verb, dossier, fields @ ..] => {
                self.act(line, [clock, agency, verb, dossier], fields)
            }
            _ => Err("write: <HH:MM> <agency> <verb> <dossier> [key=value ...]".to_owned()),
        }
    }

    fn act(&mut self, line: usize, head: [&String; 4], fields: &[String]) -> Result<(), String> {
        let [clock, agency, verb, dossier] = head;
        self.check_clock(clock)?;
        let officers =
            self.officers.get(agency).ok_or_else(|| format!("no officer of {agency} is declared above"))?;
        let mut fields = Fields::read(fields)?;
        let officer = match fields.take("by") {
            None => officers.first(),
            Some(id) => officers.iter().find(|o| o.id == id),
        };
        let officer = officer.cloned().ok_or_else(|| format!("{agency} has no such officer"))?;
        let deed = deed(verb, &mut fields)?;
        fields.nothing_left(verb)?;
        check_label(dossier)?;
        match (&deed, self.submitted.contains(dossier)) {
            (Deed::Submit { .. }, true) => return Err(format!("{dossier} was submitted above")),
            (Deed::Submit { .. }, false) => {
                self.submitted.insert(dossier.clone());
            }
            (_, false) => return Err(format!("{dossier} was not submitted above")),
            (_, true) => {}
        }
        self.check_race(dossier, &deed)?;
        let (clock, agency, dossier) = (clock.clone(), agency.clone(), dossier.clone());
        self.play.acts.push(Act { line, clock, agency, officer, dossier, deed });
        Ok(())
    }

    fn check_clock(&mut self, clock: &str) -> Result<(), String> {
        let digits = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit());
        let good = clock.split_once(':').is_some_and(|(h, m)| digits(h) && digits(m) && h < "24" && m < "60");
        if !good {
            return Err(format!("'{clock}' is no time of day; write HH:MM"));
        }
        // Of the same shape, they order as text.
        if clock < self.last_clock.as_str() {
            return Err(format!("the time goes back from {} to {clock}", self.last_clock));
        }
        self.last_clock = clock.to_owned();
        Ok(())
    }

    fn check_race(&self, dossier: &str, deed: &Deed) -> Result<(), String> {
        let Deed::Recall { race: Race::AfterAccept, .. } = deed else { return Ok(()) };
        let before = self.play.acts.iter().rev().find(|act| act.dossier == dossier);
        match before.map(|act| &act.deed) {
            Some(Deed::Accept { .. }) => Ok(()),
            _ => Err(format!("race=after-accept must follow the accept of {dossier}")),
        }
    }

    fn expect(&mut self, line: usize, dossier: &str, fields: &[String]) -> Result<(), String> {
        let mut fields = Fields::read(fields)?;
        let custodian = fields.need("custodian")?;
        let state = match fields.need("state")?.as_str() {
            "held" => State::Held,
            "offered" => State::Offered(fields.need("to")?),
            "closed" => State::Closed,
            other => return Err(format!("state is held, offered or closed, not '{other}'")),
        };
        fields.nothing_left("expect")?;
        if !self.submitted.contains(dossier) {
            return Err(format!("{dossier} was not submitted above"));
        }
        self.play.expectations.push(Expectation { line, dossier: dossier.to_owned(), custodian, state });
        Ok(())
    }
}

/// `key=value` words of one line.
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn read(words: &[String]) -> Result<Self, String> {
        let mut fields = BTreeMap::new();
        for word in words {
            let (key, value) = word.split_once('=').ok_or_else(|| format!("'{word}' is not key=value"))?;
            if value.is_empty() {
                return Err(format!("{key} has no value"));
            }
            if fields.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(format!("{key} is given twice"));
            }
        }
        Ok(Self(fields))
    }

    fn take(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    fn need(&mut self, key: &str) -> Result<String, String> {
        self.take(key).ok_or_else(|| format!("{key}=... is missing"))
    }

    fn papers(&mut self) -> Vec<String> {
        let list = self.take("papers").unwrap_or_default();
        list.split(';').map(str::trim).filter(|paper| !paper.is_empty()).map(str::to_owned).collect()
    }

    fn nothing_left(&self, verb: &str) -> Result<(), String> {
        self.0.keys().next().map_or(Ok(()), |key| Err(format!("{verb} takes no {key}")))
    }
}

fn deed(verb: &str, fields: &mut Fields) -> Result<Deed, String> {
    Ok(match verb {
        "submit" => Deed::Submit {
            procedure: fields.need("procedure")?,
            channel: channel(&fields.need("channel")?)?,
            content: fields.need("content")?,
            papers: fields.papers(),
        },
        "offer" => Deed::Offer {
            to: fields.need("to")?,
            kind: kind(&fields.need("kind")?)?,
            step: fields.need("step")?,
            papers: fields.papers(),
            note: fields.take("note").unwrap_or_default(),
            due_hours: fields.take("due_hours").map(|text| due_hours(&text)).transpose()?,
        },
        "accept" => Deed::Accept { note: fields.take("note").unwrap_or_default() },
        "refuse" => Deed::Refuse { reason: fields.need("reason")? },
        "recall" => Deed::Recall { reason: fields.need("reason")?, race: race(fields.take("race"))? },
        "note" => Deed::Note { text: fields.need("text")? },
        "complete" => Deed::Complete { result: fields.need("result")? },
        "return" => Deed::Return { channel: channel(&fields.need("channel")?)? },
        other => return Err(format!("there is no verb '{other}'")),
    })
}

fn check_label(label: &str) -> Result<(), String> {
    let letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if label.is_empty() || label.len() > LABEL_BYTES || !label.bytes().all(letter) {
        return Err(format!("'{label}' is no label: a-z 0-9 -, at most {LABEL_BYTES}"));
    }
    Ok(())
}

fn channel(word: &str) -> Result<Channel, String> {
    match word {
        "counter" => Ok(Channel::Counter),
        "online" => Ok(Channel::Online),
        "post" => Ok(Channel::Post),
        _ => Err(format!("channel is counter, online or post, not '{word}'")),
    }
}

fn kind(word: &str) -> Result<HandOffKind, String> {
    match word {
        "forward" => Ok(HandOffKind::Forward),
        "return" => Ok(HandOffKind::Return),
        "result" => Ok(HandOffKind::Result),
        "misrouted" => Ok(HandOffKind::Misrouted),
        _ => Err(format!("kind is forward, return, result or misrouted, not '{word}'")),
    }
}

fn race(word: Option<String>) -> Result<Race, String> {
    match word.as_deref() {
        None => Ok(Race::No),
        Some("after-accept") => Ok(Race::AfterAccept),
        Some(other) => Err(format!("race is after-accept, not '{other}'")),
    }
}

fn due_hours(text: &str) -> Result<u32, String> {
    let hours = text.parse().ok().filter(|hours| (1..=DUE_HOURS).contains(hours));
    hours.ok_or_else(|| format!("due_hours is a whole number from 1 to {DUE_HOURS}, not '{text}'"))
}

#[cfg(test)]
mod tests;
