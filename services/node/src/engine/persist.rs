//! The one thread that writes the ledger: sign, append, `fdatasync`, and only then tell the loop.

use super::group::Part;
use super::pressure::Pressure;
use super::recent::Recent;
use bytes::Bytes;
use lienthong_core::durable::Durable;
use lienthong_core::ids::AgencyId;
use lienthong_store::anchor::{Anchor, Anchored};
use lienthong_store::queues::Change;
use lienthong_store::space::is_full;
use lienthong_store::{Ledger, NewRecord, Position, StoreError};
use lienthong_wire::keys::Signer;
use lienthong_wire::record::encode_record;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// What is to become durable together.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) parts: Vec<Part>,
}

/// It is.
#[derive(Debug)]
pub(crate) struct Persisted {
    pub(crate) durable: Durable,
    /// Agencies with a batch in it, in order.
    pub(crate) agencies: Vec<AgencyId>,
    /// Rows that say where the records are, and the ledger position that all rows of the commit reflect.
    pub(crate) rows: Vec<Change>,
    pub(crate) end: Position,
    pub(crate) physical_head: lienthong_core::ids::Digest,
    pub(crate) records: u64,
    pub(crate) took: Duration,
}

/// When nothing follows a commit for this long, an idle mark proves it: soon enough that a torn tail is almost never
/// in doubt, late enough to cost nothing under load.
const IDLE: Duration = Duration::from_millis(50);

/// How often an idle ledger looks whether what it lacks can be prepared now.
const TEND: Duration = Duration::from_secs(1);

/// Runs until the loop lets go of its end. An error is final: a failed sync is never tried again.
pub(crate) fn run(
    mut ledger: Ledger,
    signers: &BTreeMap<AgencyId, Signer>,
    recent: &Recent,
    pressure: &Pressure,
    jobs: &Receiver<Job>,
    (done, heads): (&mpsc::Sender<Persisted>, &watch::Sender<Anchor>),
) -> Result<(), StoreError> {
    let (mut marked, mut batches) = (false, 0);
    loop {
        ledger.tend();
        pressure.log(ledger.footing());
        let job = match jobs.recv_timeout(if marked { TEND } else { IDLE }) {
            Ok(job) => job,
            Err(RecvTimeoutError::Timeout) => {
                if !marked {
                    ledger.idle_mark()?;
                    marked = true;
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return ledger.idle_mark(),
        };
        marked = false;
        batches += 1;
        hold_point(batches);
        let told: Vec<_> = job.parts.iter().map(|part| (part.agency.clone(), part.incarnation)).collect();
        let persisted = persist(&mut ledger, signers, recent, job)?;
        let store = ledger.store_id();
        heads.send_modify(|heads| {
            for (agency, incarnation) in told {
                if let Some(head) = persisted.durable.head(&agency) {
                    heads.insert(agency, Anchored { store, head, incarnation });
                }
            }
        });
        if done.blocking_send(persisted).is_err() {
            return ledger.idle_mark();
        }
    }
}

fn persist(
    ledger: &mut Ledger,
    signers: &BTreeMap<AgencyId, Signer>,
    recent: &Recent,
    job: Job,
) -> Result<Persisted, StoreError> {
    let started = Instant::now();
    let mut new = Vec::new();
    let (mut agencies, mut rows) = (Vec::new(), Vec::new());
    for part in job.parts {
        let mut records = part.records;
        signers[&part.agency].sign_records(&mut records);
        for (index, record) in (part.first.0..).zip(records) {
            let encoded = encode_record(&record);
            new.push(NewRecord {
                agency: part.agency.clone(),
                index: lienthong_core::ids::LedgerIndex(index),
                payload: encoded.payload.into(),
                proof: Bytes::from_owner(encoded.proof),
                body: encoded.body.map(Bytes::from_owner),
            });
            recent.keep(&part.agency, index, record);
        }
        agencies.push(part.agency);
    }
    let places: Vec<(AgencyId, u64)> = new.iter().map(|r| (r.agency.clone(), r.index.0)).collect();
    let appended = ledger.append(new).inspect_err(|error| {
        if let StoreError::Prepare(source) = error
            && is_full(source)
        {
            tracing::error!(%source, "the disk is full and the reserve is used up: the node stops. Nothing that was acknowledged is lost; give it room and start it again");
        }
    })?;
    let mut positions = &appended.positions[..];
    for part in places.chunk_by(|a, b| a.0 == b.0) {
        let (agency, first) = &part[0];
        let (of_part, rest) = positions.split_at(part.len());
        positions = rest;
        recent.keep_places(agency, *first, of_part);
        rows.extend(super::rows::record_rows(agency, *first, of_part));
    }
    Ok(Persisted {
        durable: appended.durable,
        agencies,
        rows,
        end: ledger.end_position(),
        physical_head: ledger.physical_head(),
        records: places.len() as u64,
        took: started.elapsed(),
    })
}

/// In debug builds, `LIENTHONG_HOLD_COMMIT=n` holds the n-th batch before the disk for good: a test then looks who has
/// been told of it.
fn hold_point(batches: u64) {
    if cfg!(debug_assertions)
        && let Ok(at) = std::env::var("LIENTHONG_HOLD_COMMIT")
        && at.parse() == Ok(batches)
    {
        tracing::warn!("a batch is held before the disk");
        loop {
            std::thread::park();
        }
    }
}
