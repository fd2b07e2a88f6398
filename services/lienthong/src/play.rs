//! A play: a morning of officers' acts in a text file, and its performance against a node. The grammar is told in the
//! head of `deploy/example/buoi-sang.play`.

pub(crate) mod command;
mod parse;
mod perform;
mod request;
mod tell;
mod wait;
mod words;

use lienthong_proto::v1::{Channel, HandOffKind};

pub(crate) use parse::parse;
pub(crate) use perform::{Summary, run};
pub(crate) use tell::Progress;

/// A play, parsed: every name in it is declared, every act has what it needs.
#[derive(Debug, Default)]
pub(crate) struct Play {
    pub acts: Vec<Act>,
    pub expectations: Vec<Expectation>,
}

/// One line of the morning.
#[derive(Debug)]
pub(crate) struct Act {
    /// Line of the file, from 1.
    pub line: usize,
    /// `HH:MM`, as it is shown.
    pub clock: String,
    pub agency: String,
    pub officer: Officer,
    /// Label of the dossier in this play.
    pub dossier: String,
    pub deed: Deed,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Officer {
    pub id: String,
    pub name: String,
}

/// What is done.
#[derive(Debug)]
pub(crate) enum Deed {
    Submit {
        procedure: String,
        channel: Channel,
        content: String,
        papers: Vec<String>,
    },
    Offer {
        to: String,
        kind: HandOffKind,
        step: String,
        papers: Vec<String>,
        note: String,
        due_hours: Option<u32>,
    },
    Accept {
        note: String,
    },
    Refuse {
        reason: String,
    },
    Recall {
        reason: String,
        race: Race,
    },
    Note {
        text: String,
    },
    Complete {
        result: String,
    },
    Return {
        channel: Channel,
    },
}

/// Whether a recall races with an accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Race {
    /// The receiver has not decided: the recall wins.
    No,
    /// It is issued right after the accept, and loses.
    AfterAccept,
}

/// What must be true in the end.
#[derive(Debug)]
pub(crate) struct Expectation {
    /// Line of the file, from 1.
    pub line: usize,
    pub dossier: String,
    pub custodian: String,
    pub state: State,
}

/// Where a dossier ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Held,
    /// Offered to this agency, which has received it and not decided.
    Offered(String),
    Closed,
}
