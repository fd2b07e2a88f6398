//! Who exists and who may hand what to whom. Checked at submit, at send and at receive.

use crate::ids::AgencyId;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// The directory of one epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Version, strictly rising.
    pub epoch: u64,
    /// Agencies by id.
    pub agencies: BTreeMap<AgencyId, Agency>,
    /// A hand-off is allowed when one rule allows it.
    pub rules: Vec<Rule>,
}

/// What the core needs of an agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// Level, such as `commune`.
    pub level: String,
    /// Agency code (mã định danh), prefix of the dossier codes it issues.
    pub code: String,
}

/// `from` may hand dossiers of `procedures` to `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Givers.
    pub from: Pattern,
    /// Receivers.
    pub to: Pattern,
    /// Procedure codes; empty for all.
    pub procedures: Vec<String>,
}

/// Names agencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Every agency of the directory.
    Any,
    /// This one.
    Agency(AgencyId),
    /// All of a level.
    Level(String),
}

impl Directory {
    /// Whether the directory has the agency.
    pub fn knows(&self, agency: &AgencyId) -> bool {
        self.agencies.contains_key(agency)
    }

    /// Whether `from` may hand a dossier of `procedure` to `to`.
    pub fn allows(&self, from: &AgencyId, to: &AgencyId, procedure: &str) -> bool {
        self.knows(from)
            && self.knows(to)
            && self.rules.iter().any(|rule| {
                self.matches(&rule.from, from)
                    && self.matches(&rule.to, to)
                    && (rule.procedures.is_empty() || rule.procedures.iter().any(|p| p == procedure))
            })
    }

    fn matches(&self, pattern: &Pattern, agency: &AgencyId) -> bool {
        match pattern {
            Pattern::Any => true,
            Pattern::Agency(id) => id == agency,
            Pattern::Level(level) => self.agencies.get(agency).is_some_and(|a| a.level == *level),
        }
    }
}
