//! The judge: reads every ledger of a stopped province from the disk, trusts no node, and counts what is lost and what
//! is doubled among dossiers whose every act was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use lienthong_core::ids::{AgencyId, Sid, TrackId};
use lienthong_core::record::{Origin, Record};
use lienthong_core::statement::{Body, Kind, Statement};
use lienthong_store::verify::verify_dir;
use lienthong_store::{Body as Stored, StoredRecord};
use lienthong_wire::evidence::walk::walk;
use lienthong_wire::keys::KeyRing;
use lienthong_wire::record::{decode_record, verify_record};

use crate::officers::{Carried, Step};
use crate::province::Province;

/// How many faults are told one by one.
const TOLD: usize = 10;

/// What the ledgers of all agencies came to.
#[derive(Debug, Default)]
pub struct Judged {
    /// Records read, over all ledgers.
    pub records: usize,
    /// Statements of which each signature was verified.
    pub statements: usize,
    /// Trails walked, each in each ledger that knows it.
    pub trails: usize,
    /// Acknowledged acts that no ledger proves.
    pub lost: usize,
    /// Acts, receipts or acknowledgements that are there a second time.
    pub doubled: usize,
    /// Anything else that is wrong: signatures, chains, agencies that disagree.
    pub faults: Vec<String>,
}

/// One agency's ledger, track by track.
#[derive(Default)]
struct Book {
    tracks: BTreeMap<TrackId, Vec<Arc<Statement>>>,
    seen: BTreeSet<Sid>,
    answered: BTreeSet<(&'static str, Sid)>,
}

/// What one ledger proves of one track: sids along the spine, and what each step is.
type Spine = Vec<(Sid, Kind, AgencyId)>;

/// Judges a stopped province against what its officers were told. `agencies` are in the order of the officers' desks.
pub fn judge(province: &mut Province, agencies: &[&str], carried: &[Carried]) -> Judged {
    let keys = KeyRing::of(&province.directory());
    let mut judged = Judged::default();
    let mut proved: BTreeMap<TrackId, Vec<(usize, Spine)>> = BTreeMap::new();
    for (who, agency) in agencies.iter().enumerate() {
        let data = province.node(agency).data.clone();
        let mut book = Book::default();
        let take = |stored: StoredRecord| {
            judged.records += 1;
            // Co-hosted agencies share a folder; each is judged by its own ledger.
            if stored.agency.as_str() == *agency {
                book.take(stored, &keys, &mut judged);
            }
        };
        if let Err(fault) = verify_dir(&data, |_, _| {}, take) {
            judged.faults.push(format!("the ledger of {agency}: {fault}"));
        }
        for (track, statements) in &book.tracks {
            judged.trails += 1;
            match spine(statements) {
                Ok(spine) => proved.entry(*track).or_default().push((who, spine)),
                Err(fault) => judged.faults.push(format!("{track} at {agency}: {fault}")),
            }
        }
    }
    for dossier in carried {
        let proofs = TrackId::parse_hex(&dossier.id).and_then(|id| proved.remove(&id));
        judged.compare(dossier, &proofs.unwrap_or_default(), agencies);
    }
    for id in proved.keys() {
        judged
            .faults
            .push(format!("{id} was never acknowledged to have been taken in, or its journey never ended"));
    }
    judged
}

fn spine(statements: &[Arc<Statement>]) -> Result<Spine, String> {
    let walked = walk(statements).map_err(|broken| format!("{broken:?}"))?;
    if !walked.unlinked.is_empty() {
        return Err(format!("{} statements hang loose", walked.unlinked.len()));
    }
    let step = |(place, _): &(usize, AgencyId)| {
        let statement = &statements[*place];
        (statement.sid(), statement.body.kind(), statement.claim.agency.clone())
    };
    Ok(walked.steps.iter().map(step).collect())
}

impl Book {
    fn take(&mut self, stored: StoredRecord, keys: &KeyRing, judged: &mut Judged) {
        let place = format!("{} #{}", stored.agency, stored.index.0);
        let body = match stored.body {
            Some(Stored::Present(bytes)) => Some(Arc::<[u8]>::from(bytes.as_ref())),
            Some(Stored::Erased { .. }) | None => None,
        };
        let record = match decode_record(stored.payload, &stored.proof, body) {
            Ok(record) => record,
            Err(error) => return judged.faults.push(format!("{place}: {error}")),
        };
        if let Err(reason) = verify_record(keys, &record) {
            judged.faults.push(format!("{place}: {reason:?}"));
        }
        let Record::Statement(record) = record else { return };
        judged.statements += 1;
        let statement = &record.statement;
        if !self.seen.insert(statement.sid()) {
            judged.doubled += 1;
        }
        let answered: Vec<Sid> = match &statement.body {
            Body::Received(items) => items.iter().map(|item| item.tid).collect(),
            Body::Ack(items) => items.iter().map(|item| item.sid).collect(),
            _ => Vec::new(),
        };
        if record.origin == Origin::Made {
            let kind = statement.body.kind().name();
            let twice = answered.iter().filter(|sid| !self.answered.insert((kind, **sid))).count();
            judged.doubled += twice;
        }
        // An intake has no predecessor; whatever else has none lies beside the spine.
        if let Some(track) = statement.track()
            && (statement.body.prev().is_some() || statement.body.kind() == Kind::Intake)
        {
            self.tracks.entry(track).or_default().push(statement.clone());
        }
    }
}

impl Judged {
    /// What was acknowledged against what each ledger proves: home proves all of it, the others the same up to where
    /// they were last concerned.
    fn compare(&mut self, dossier: &Carried, proofs: &[(usize, Spine)], agencies: &[&str]) {
        let nothing = Spine::new();
        let of = |who: usize| proofs.iter().find(|(at, _)| *at == who).map_or(&nothing, |(_, spine)| spine);
        let home = of(dossier.home);
        let done: Vec<Step> = home
            .iter()
            .map(|(_, kind, maker)| {
                let maker = agencies.iter().position(|agency| *agency == maker.as_str());
                (kind.name(), maker.unwrap_or(usize::MAX))
            })
            .collect();
        let as_told = done.iter().zip(&dossier.steps).take_while(|(done, told)| done == told).count();
        self.lost += dossier.steps.len() - as_told;
        self.doubled += done.len() - as_told;
        for (who, spine) in proofs {
            if !spine.iter().zip(home).all(|(theirs, ours)| theirs == ours) || spine.len() > home.len() {
                let (id, who) = (&dossier.id, agencies[*who]);
                self.faults.push(format!("{id}: {who} and its home disagree on who held it"));
            }
        }
        let concerned: BTreeSet<usize> = dossier.steps.iter().map(|(_, who)| *who).collect();
        for who in concerned {
            let last = dossier.steps.iter().rposition(|(_, by)| *by == who).map_or(0, |at| at + 1);
            if of(who).len() < last {
                let (id, who) = (&dossier.id, agencies[who]);
                self.faults.push(format!("{id}: the ledger of {who} does not prove what it did itself"));
            }
        }
    }

    /// Panics unless nothing is lost, nothing doubled and nothing wrong.
    ///
    /// # Panics
    /// As it says.
    pub fn must_be_whole(&self) {
        let told = &self.faults[..self.faults.len().min(TOLD)];
        assert!(told.is_empty(), "{self}\n{}", told.join("\n"));
        assert_eq!((self.lost, self.doubled), (0, 0), "{self}");
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, statements, trails, lost, doubled, faults } = self;
        write!(
            f,
            "{records} records, {statements} signatures and {trails} trails verified offline: {lost} lost, {doubled} \
             doubled, {} faults",
            faults.len()
        )
    }
}
