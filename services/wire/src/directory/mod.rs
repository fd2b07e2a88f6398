//! The directory file: who takes part, under which keys, which procedures are carried, who may hand what to whom.

mod check;
mod parse;
mod reader;
mod write;

use lienthong_core::directory::{Agency, Directory, Pattern, Rule};
use lienthong_core::ids::AgencyId;
use std::fmt;

/// A directory file, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectoryFile {
    /// Version, strictly rising.
    pub epoch: u64,
    /// Of what it is the directory.
    pub name: String,
    /// Who issues it.
    pub authority: Authority,
    /// The agencies, in the order of the file.
    pub agencies: Vec<AgencyEntry>,
    /// The procedures, in the order of the file.
    pub procedures: Vec<Procedure>,
    /// Who may hand what to whom.
    pub rules: Vec<Rule>,
}

/// The issuer of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its id; an agency may name it as its parent.
    pub id: AgencyId,
    /// Its name.
    pub name: String,
    /// Its keys.
    pub keys: Vec<PublicKey>,
}

/// One agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyEntry {
    /// The stable id.
    pub id: AgencyId,
    /// Mã định danh.
    pub code: String,
    /// Whether the code is made up, being in no source.
    pub code_is_example: bool,
    /// Code of the territorial unit (Tổng cục Thống kê).
    pub unit_code: Option<String>,
    /// Official name.
    pub name: String,
    /// Level, such as `commune`.
    pub level: String,
    /// Its superior, an agency or the authority.
    pub parent: Option<AgencyId>,
    /// Its keys.
    pub keys: Vec<PublicKey>,
}

/// A public key. Ids are unique in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Names it in proofs.
    pub id: String,
    /// Ed25519.
    pub public: [u8; 32],
}

/// An administrative procedure.
#[derive(Clone, Debug, PartialEq)]
pub struct Procedure {
    /// Such as `1.001193`.
    pub code: String,
    /// Official name.
    pub name: String,
    /// Working days over all agencies; 0 is the same day.
    pub days: Option<f64>,
    /// The text it rests on.
    pub basis: Option<String>,
}

/// One thing that is wrong in a directory file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryFault {
    /// Where, such as `agency[3].keys[0].public`; entries are counted from 0. Empty for the file as a whole.
    pub path: String,
    /// What.
    pub problem: String,
}

impl fmt::Display for DirectoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "directory" } else { &self.path };
        write!(f, "{path}: {}", self.problem)
    }
}

/// Everything that is wrong in a directory file, one to a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct DirectoryFaults(pub Vec<DirectoryFault>);

impl DirectoryFile {
    /// The entry of an agency.
    pub fn agency(&self, id: &AgencyId) -> Option<&AgencyEntry> {
        self.agencies.iter().find(|agency| agency.id == *id)
    }

    /// The procedure of a code.
    pub fn procedure(&self, code: &str) -> Option<&Procedure> {
        self.procedures.iter().find(|procedure| procedure.code == code)
    }

    /// Adds a key to an agency. `false`, and nothing is added, when there is no such agency, the id is taken or
    /// wrong, or the key is unsound.
    #[must_use]
    pub fn add_key(&mut self, agency: &AgencyId, key: PublicKey) -> bool {
        let taken = self.keys().any(|known| known.id == key.id || known.public == key.public);
        if taken || !check::is_sound(&key) {
            return false;
        }
        let Some(entry) = self.agencies.iter_mut().find(|entry| entry.id == *agency) else { return false };
        entry.keys.push(key);
        true
    }

    /// What the core needs of it.
    pub fn to_core(&self) -> Directory {
        let agency = |entry: &AgencyEntry| {
            (entry.id.clone(), Agency { level: entry.level.clone(), code: entry.code.clone() })
        };
        Directory {
            epoch: self.epoch,
            agencies: self.agencies.iter().map(agency).collect(),
            rules: self.rules.clone(),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.authority.keys.iter().chain(self.agencies.iter().flat_map(|agency| &agency.keys))
    }
}

/// A pattern as it is spelt in the file: `*`, `level:<level>`, or an agency's id.
fn spell(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Any => "*".into(),
        Pattern::Agency(id) => id.as_str().into(),
        Pattern::Level(level) => format!("level:{level}"),
    }
}
