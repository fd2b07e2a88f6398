//! Who takes part: 3–7 agencies with keys, procedures, and rules on who may hand what to whom; all drawn by the seed.

use crate::random::{Concern, Stream};
use lienthong_core::authority::Retire;
use lienthong_core::directory::{Directory, Pattern, Rule};
use lienthong_core::ids::{AgencyId, WallMs};
use lienthong_core::statement::Statement;
use lienthong_wire::act;
use lienthong_wire::directory::{AgencyEntry, Authority, DirectoryFile, PublicKey};
use lienthong_wire::keys::{KeyRing, Signer, SigningKey};
use std::sync::Arc;

/// Names to draw from, with their levels.
const AGENCIES: [(&str, &str); 7] = [
    ("xa-an-thanh", "commune"),
    ("xa-dai-an", "commune"),
    ("phuong-mot", "commune"),
    ("huyen-cu-lao", "district"),
    ("so-tu-phap", "department"),
    ("so-tai-chinh", "department"),
    ("ubnd-tinh", "province"),
];

/// Procedures: the first is open to all, the second to drawn pairs, the third goes by level.
pub const PROCEDURES: [&str; 3] = ["1.001193", "2.000488", "1.004873"];

/// The agencies of a run.
#[derive(Debug)]
pub struct Cast {
    /// Their ids, by number.
    pub ids: Vec<AgencyId>,
    /// Their signers, by number.
    pub signers: Vec<Signer>,
    /// Everybody's keys.
    pub keys: Arc<KeyRing>,
    /// The directory that the offline verifier trusts.
    pub file: DirectoryFile,
    /// Rules of the first epoch, and the stricter ones of the second, which nodes load when they start again.
    pub epochs: [Arc<Directory>; 2],
    /// The key of the authority, which signs acts.
    authority: SigningKey,
}

impl Cast {
    /// The agencies of a seed.
    pub fn of(seed: u64) -> Self {
        let mut stream = Stream::new(seed, Concern::Cast, 0);
        let number = stream.between(3, AGENCIES.len() as u64) as usize;
        let mut names = AGENCIES.to_vec();
        while names.len() > number {
            names.remove(stream.below(names.len() as u64) as usize);
        }
        let mut agencies = Vec::new();
        let mut signers = Vec::new();
        for (n, (name, level)) in names.iter().enumerate() {
            let mut secret = [0; 32];
            stream.fill(&mut secret);
            let key = SigningKey::from_seed(&format!("{name}-1"), &secret).expect("a key id");
            let keys = vec![PublicKey { id: key.id().into(), public: key.public() }];
            let id = AgencyId::parse(name).expect("an agency id");
            agencies.push(AgencyEntry {
                id,
                code: format!("H51.{n}"),
                code_is_example: true,
                unit_code: None,
                name: (*name).into(),
                level: (*level).into(),
                parent: None,
                keys,
            });
            signers.push(Signer::new(key));
        }
        let ids: Vec<AgencyId> = agencies.iter().map(|a| a.id.clone()).collect();
        let rules = rules(&ids, &mut stream);
        let mut secret = [0; 32];
        Stream::new(seed, Concern::Gone, 1).fill(&mut secret);
        let key = SigningKey::from_seed("tinh-1", &secret).expect("a key id");
        let authority = Authority {
            id: AgencyId::parse("tinh").expect("an id"),
            name: "tỉnh".into(),
            keys: vec![PublicKey { id: key.id().into(), public: key.public() }],
        };
        let name = "simulated".into();
        let file = DirectoryFile { epoch: 1, name, authority, agencies, procedures: Vec::new(), rules };
        let keys = Arc::new(KeyRing::of(&file));
        let first = file.to_core();
        let mut second = Directory { epoch: 2, ..first.clone() };
        second.rules.retain(|rule| rule.procedures != [PROCEDURES[1]] || stream.chance(500));
        Self { ids, signers, keys, file, epochs: [Arc::new(first), Arc::new(second)], authority: key }
    }

    /// The act that retires an agency: the same whenever it is asked for.
    pub fn act(&self, n: usize) -> Arc<Statement> {
        let (agency, why) = (self.ids[n].clone(), "giải thể".into());
        let successor = Some(self.ids[self.successor(n)].clone());
        let retire = Retire { agency, successor, why };
        let (key, authority) = (self.authority.clone(), self.file.authority.id.clone());
        Arc::new(act::sign(key, authority, self.file.epoch, WallMs(0), retire))
    }

    /// Whom the act about an agency names.
    pub fn successor(&self, n: usize) -> usize {
        (n + 1) % self.ids.len()
    }

    /// The number of an agency.
    pub fn number(&self, id: &AgencyId) -> Option<usize> {
        self.ids.iter().position(|known| known == id)
    }
}

fn rules(ids: &[AgencyId], stream: &mut Stream) -> Vec<Rule> {
    let of = |procedure: &str| vec![procedure.to_owned()];
    let mut rules = vec![Rule { from: Pattern::Any, to: Pattern::Any, procedures: of(PROCEDURES[0]) }];
    for from in ids {
        for to in ids.iter().filter(|to| *to != from) {
            if stream.chance(700) {
                let (from, to) = (Pattern::Agency(from.clone()), Pattern::Agency(to.clone()));
                rules.push(Rule { from, to, procedures: of(PROCEDURES[1]) });
            }
        }
    }
    let commune = || Pattern::Level("commune".into());
    rules.push(Rule { from: commune(), to: Pattern::Any, procedures: of(PROCEDURES[2]) });
    rules.push(Rule { from: Pattern::Any, to: commune(), procedures: of(PROCEDURES[2]) });
    rules
}
