//! Subjects and stream names (protocol.md 7): built here, parsed strictly here, nowhere else.

use lienthong_core::ids::AgencyId;

/// What kind of traffic a message is, so that a flood of one kind does not block another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Offers, with their content.
    Offer,
    /// Answers that finish something: receipts, decisions and their copies, acknowledgements.
    Answer,
    /// Recalls, and copies for those who follow a track.
    Ctl,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Lane; 3] = [Lane::Offer, Lane::Answer, Lane::Ctl];

    /// The last token of a subject.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Offer => "offer",
            Lane::Answer => "answer",
            Lane::Ctl => "ctl",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Lane::ALL.into_iter().find(|lane| lane.as_str() == text)
    }
}

/// Who sends what kind of message to whom: all that a subject says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The sender. NATS permissions pin it.
    pub from: AgencyId,
    /// The receiver, whose mailbox the message lies in.
    pub to: AgencyId,
    /// The lane.
    pub lane: Lane,
}

/// The subject of a message: `lt.v1.<to>.from.<from>.<lane>`.
pub fn subject(from: &AgencyId, to: &AgencyId, lane: Lane) -> String {
    format!("lt.v1.{to}.from.{from}.{}", lane.as_str())
}

/// What a subject says; `None` unless it is exactly what [`subject`] builds.
pub fn parse_subject(text: &str) -> Option<Address> {
    let mut tokens = text.split('.');
    let mut token = || tokens.next();
    if (token()?, token()?) != ("lt", "v1") {
        return None;
    }
    let to = AgencyId::parse(token()?)?;
    if token()? != "from" {
        return None;
    }
    let from = AgencyId::parse(token()?)?;
    let lane = Lane::parse(token()?)?;
    token().is_none().then_some(Address { from, to, lane })
}

/// The subjects that an agency's stream takes in.
pub fn mailbox_subjects(agency: &AgencyId) -> String {
    format!("lt.v1.{agency}.from.*.*")
}

/// The name of an agency's stream.
pub fn stream_name(agency: &AgencyId) -> String {
    format!("LT_{agency}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> AgencyId {
        AgencyId::parse(text).expect("a good id")
    }

    #[test]
    fn what_is_built_parses_back() {
        for lane in Lane::ALL {
            let text = subject(&id("xa-an-thanh-1"), &id("so-tnmt"), lane);
            let address = Address { from: id("xa-an-thanh-1"), to: id("so-tnmt"), lane };
            assert_eq!(parse_subject(&text), Some(address));
        }
        assert_eq!(subject(&id("a"), &id("b"), Lane::Ctl), "lt.v1.b.from.a.ctl");
        assert_eq!(
            (stream_name(&id("b")), mailbox_subjects(&id("b"))),
            ("LT_b".into(), "lt.v1.b.from.*.*".into())
        );
    }

    #[test]
    fn anything_else_is_refused() {
        let bad = [
            "",
            "lt",
            "lt.v1",
            "lt.v1.b",
            "lt.v1.b.from",
            "lt.v1.b.from.a",
            "lt.v1.b.from.a.offers",
            "lt.v1.b.from.a.",
            "lt.v1.b.from.a.offer.",
            "lt.v1.b.from.a.offer.x",
            "lt.v2.b.from.a.offer",
            "lt.v1.b.to.a.offer",
            "lt.v1.B.from.a.offer",
            "lt.v1.b.from.A.offer",
            "lt.v1.b.from..offer",
            "lt.v1..from.a.offer",
            "LT.v1.b.from.a.offer",
            "lt.v1.b.from.*.offer",
            "lt.v1.b.from.a.OFFER",
            " lt.v1.b.from.a.offer",
        ];
        for text in bad {
            assert_eq!(parse_subject(text), None, "{text:?}");
        }
    }
}
