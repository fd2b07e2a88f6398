//! Every number that a node reports, named once.
//!
//! Labels hold agency ids, kinds and reason numbers and nothing else. Kinds and outcomes are `&'static str`, so they come
//! from the program; agency ids are compared with those of the directory, so that neither personal data nor a peer's
//! invention becomes a label. Without an exporter every call is a no-op.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter};

use crate::telemetry::SCOPE;

/// A metric: its name, unit (UCUM) and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub name: &'static str,
    /// The unit in UCUM.
    pub unit: &'static str,
    /// What it counts.
    pub description: &'static str,
}

macro_rules! names {
    ($($id:ident = $name:literal, $unit:literal, $description:literal;)*) => {
        $(#[doc = concat!("`", $name, "`: ", $description)]
        pub const $id: Name = Name { name: $name, unit: $unit, description: $description };)*
        /// All of them, for documentation, dashboards and their tests.
        pub const ALL: &[Name] = &[$($id),*];
    };
}

names! {
    COMMANDS = "lienthong.commands", "{command}", "commands decided, by kind, outcome and reason";
    COMMITS = "lienthong.commits", "{commit}", "group commits of the ledger";
    COMMIT_RECORDS = "lienthong.commit.records", "{record}", "records in one group commit";
    COMMIT_DURATION = "lienthong.commit.duration", "s", "time from the first write of a commit until it was durable";
    ENVELOPES_SENT = "lienthong.envelopes.sent", "{envelope}", "envelopes handed to the link, by kind";
    ENVELOPES_RECEIVED = "lienthong.envelopes.received", "{envelope}", "envelopes taken from the link, by kind";
    RESENDS = "lienthong.resends", "{envelope}", "envelopes sent again for want of a receipt, by kind";
    DUPLICATES = "lienthong.duplicates", "{envelope}", "envelopes that changed nothing because they were known, by kind";
    QUARANTINED = "lienthong.quarantined", "{message}", "messages kept because they cannot be processed, by peer and reason";
    QUEUE_LAG = "lienthong.queue.lag", "{commit}", "group commits by which the queues are behind the ledger";
    OUTBOX_WAITING = "lienthong.outbox.waiting", "{statement}", "statements that wait for a peer, by peer";
    MAILBOX_REPAIRS = "lienthong.mailbox.repairs", "{repair}", "mailbox streams created again because they were missing or wrong, by agency";
    CONSUMER_STALLS = "lienthong.consumer.stalls", "{stall}", "consumers that had messages waiting and delivered none, by agency";
    RECOVERIES = "lienthong.recoveries", "{recovery}", "recoveries from an old copy that began, by agency and what showed it";
    RECOVERING = "lienthong.recovering", "{agency}", "1 while an agency recovers from an old copy and hands nothing on, else 0, by agency";
    INVARIANTS_BROKEN = "lienthong.invariants.broken", "{violation}", "invariants of protocol.md 8 found broken, by id: a person must act";
}

/// The label value of an agency that is not in the directory.
pub const UNLISTED: &str = "unlisted";

/// Bounds of the commit size histogram: a commit holds from one command to everything that waits.
const RECORD_BOUNDS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// Bounds of the commit duration histogram in seconds: from a fast disk to one that needs a person.
const DURATION_BOUNDS: &[f64] =
    &[0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The instruments. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    agencies: Arc<RwLock<BTreeSet<String>>>,
    commands: Counter<u64>,
    commits: Counter<u64>,
    commit_records: Histogram<u64>,
    commit_duration: Histogram<f64>,
    envelopes_sent: Counter<u64>,
    envelopes_received: Counter<u64>,
    resends: Counter<u64>,
    duplicates: Counter<u64>,
    quarantined: Counter<u64>,
    queue_lag: Gauge<u64>,
    outbox_waiting: Gauge<u64>,
    mailbox_repairs: Counter<u64>,
    consumer_stalls: Counter<u64>,
    recoveries: Counter<u64>,
    recovering: Gauge<u64>,
    invariants_broken: Counter<u64>,
}

impl Metrics {
    /// Makes the instruments. `agencies` are the ids of the directory. Call after [`crate::telemetry::init`].
    pub fn new(agencies: impl IntoIterator<Item = String>) -> Self {
        let meter = opentelemetry::global::meter(SCOPE);
        Self {
            agencies: Arc::new(RwLock::new(agencies.into_iter().collect())),
            commands: counter(&meter, COMMANDS),
            commits: counter(&meter, COMMITS),
            commit_records: meter
                .u64_histogram(COMMIT_RECORDS.name)
                .with_unit(COMMIT_RECORDS.unit)
                .with_description(COMMIT_RECORDS.description)
                .with_boundaries(RECORD_BOUNDS.to_vec())
                .build(),
            commit_duration: meter
                .f64_histogram(COMMIT_DURATION.name)
                .with_unit(COMMIT_DURATION.unit)
                .with_description(COMMIT_DURATION.description)
                .with_boundaries(DURATION_BOUNDS.to_vec())
                .build(),
            envelopes_sent: counter(&meter, ENVELOPES_SENT),
            envelopes_received: counter(&meter, ENVELOPES_RECEIVED),
            resends: counter(&meter, RESENDS),
            duplicates: counter(&meter, DUPLICATES),
            quarantined: counter(&meter, QUARANTINED),
            queue_lag: gauge(&meter, QUEUE_LAG),
            outbox_waiting: gauge(&meter, OUTBOX_WAITING),
            mailbox_repairs: counter(&meter, MAILBOX_REPAIRS),
            consumer_stalls: counter(&meter, CONSUMER_STALLS),
            recoveries: counter(&meter, RECOVERIES),
            recovering: gauge(&meter, RECOVERING),
            invariants_broken: counter(&meter, INVARIANTS_BROKEN),
        }
    }

    /// Replaces the ids after the directory has changed.
    pub fn set_agencies(&self, agencies: impl IntoIterator<Item = String>) {
        *self.agencies.write().unwrap_or_else(PoisonError::into_inner) = agencies.into_iter().collect();
    }

    /// A command was decided. `reason` is the reason number of a refusal, 0 when it was done.
    pub fn command(&self, kind: &'static str, outcome: &'static str, reason: u32) {
        let labels = [
            KeyValue::new("kind", kind),
            KeyValue::new("outcome", outcome),
            KeyValue::new("reason", i64::from(reason)),
        ];
        self.commands.add(1, &labels);
    }

    /// A group commit became durable.
    pub fn commit(&self, records: u64, took: Duration) {
        self.commits.add(1, &[]);
        self.commit_records.record(records, &[]);
        self.commit_duration.record(took.as_secs_f64(), &[]);
    }

    /// Envelopes of one kind were handed to the link.
    pub fn sent(&self, kind: &'static str, count: u64) {
        self.envelopes_sent.add(count, &[KeyValue::new("kind", kind)]);
    }

    /// Envelopes of one kind were taken from the link.
    pub fn received(&self, kind: &'static str, count: u64) {
        self.envelopes_received.add(count, &[KeyValue::new("kind", kind)]);
    }

    /// Envelopes of one kind were sent again.
    pub fn resent(&self, kind: &'static str, count: u64) {
        self.resends.add(count, &[KeyValue::new("kind", kind)]);
    }

    /// An envelope was known already.
    pub fn duplicate(&self, kind: &'static str) {
        self.duplicates.add(1, &[KeyValue::new("kind", kind)]);
    }

    /// A message of `peer` went into quarantine.
    pub fn quarantined(&self, peer: &str, reason: u32) {
        let labels = [self.agency("peer", peer), KeyValue::new("reason", i64::from(reason))];
        self.quarantined.add(1, &labels);
    }

    /// How many group commits the queues are behind the ledger.
    pub fn queue_lag(&self, commits: u64) {
        self.queue_lag.record(commits, &[]);
    }

    /// How many statements wait for `peer`. Report 0 too, or the last number stays.
    pub fn outbox_waiting(&self, peer: &str, statements: u64) {
        self.outbox_waiting.record(statements, &[self.agency("peer", peer)]);
    }

    /// The mailbox of `agency` had to be created again.
    pub fn mailbox_repaired(&self, agency: &str) {
        self.mailbox_repairs.add(1, &[self.agency("agency", agency)]);
    }

    /// The consumer of `agency` had stalled and was created again.
    pub fn consumer_stalled(&self, agency: &str) {
        self.consumer_stalls.add(1, &[self.agency("agency", agency)]);
    }

    /// A recovery of `agency` began; `cause` is a word of the program.
    pub fn recovery_began(&self, agency: &str, cause: &'static str) {
        self.recoveries.add(1, &[self.agency("agency", agency), KeyValue::new("cause", cause)]);
        self.recovering.record(1, &[self.agency("agency", agency)]);
    }

    /// The recovery of `agency` ended.
    pub fn recovery_ended(&self, agency: &str) {
        self.recovering.record(0, &[self.agency("agency", agency)]);
    }

    /// An invariant was found broken.
    pub fn invariant_broken(&self, id: &'static str) {
        self.invariants_broken.add(1, &[KeyValue::new("invariant", id)]);
    }

    fn agency(&self, label: &'static str, id: &str) -> KeyValue {
        let listed = self.agencies.read().unwrap_or_else(PoisonError::into_inner).contains(id);
        if listed { KeyValue::new(label, id.to_owned()) } else { KeyValue::new(label, UNLISTED) }
    }
}

fn counter(meter: &Meter, name: Name) -> Counter<u64> {
    meter.u64_counter(name.name).with_unit(name.unit).with_description(name.description).build()
}

fn gauge(meter: &Meter, name: Name) -> Gauge<u64> {
    meter.u64_gauge(name.name).with_unit(name.unit).with_description(name.description).build()
}

#[cfg(test)]
mod tests {
    use super::{ALL, Metrics, UNLISTED};

    #[test]
    fn names_are_unique_and_described() {
        let mut names: Vec<_> = ALL.iter().map(|name| name.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(ALL.iter().all(|name| !name.unit.is_empty() && !name.description.is_empty()));
    }

    #[test]
    fn an_agency_that_is_not_listed_never_becomes_a_label() {
        let metrics = Metrics::new(["xa-an-thanh-1".to_owned()]);
        assert_eq!(metrics.agency("peer", "xa-an-thanh-1").value.as_str(), "xa-an-thanh-1");
        assert_eq!(metrics.agency("peer", "Nguyễn Văn A").value.as_str(), UNLISTED);
        metrics.set_agencies(["so-tnmt".to_owned()]);
        assert_eq!(metrics.agency("peer", "xa-an-thanh-1").value.as_str(), UNLISTED);
        metrics.quarantined("so-tnmt", 7); // without an exporter: nothing happens
    }
}
