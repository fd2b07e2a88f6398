//! What a journey came to: what the nodes tell, and what their ledgers keep.

use lienthong_core::record::Origin;
use lienthong_core::statement::Kind;
use lienthong_proto::v1;
use lienthong_tests::{Desk, Kept, Ops};
use std::collections::{BTreeMap, BTreeSet};

/// Two stories are equal when the journeys ended alike.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Story {
    agencies: BTreeMap<&'static str, Agency>,
}

#[derive(Debug, PartialEq)]
struct Agency {
    told: Told,
    /// Statements made here, by kind; of receipts and acknowledgements, what they cover.
    made: BTreeMap<String, usize>,
    /// Statements of others on the spine, by kind.
    taken: BTreeMap<String, usize>,
}

/// What a node says of the dossier and of itself.
#[derive(Debug, PartialEq)]
pub(crate) struct Told {
    phase: v1::Phase,
    custodian: String,
    completed: bool,
    hops: u32,
    /// Kind and custodian after it, along the spine.
    spine: Vec<(String, String)>,
    /// Held, offered, inbox, gone, closed, refused, followed, outbox, quarantined.
    census: [u64; 9],
    inbox: Vec<v1::InboxEventKind>,
    /// A crash is no old copy: it stays 0.
    incarnation: u64,
}

/// Asks a node.
pub(crate) async fn told(desk: &Desk, ops: &Ops, id: &str) -> Told {
    let dossier = desk.get(id).await.unwrap();
    let trail = desk.trail(id).await.unwrap();
    let spine = trail.entries.into_iter().filter(|entry| entry.on_spine);
    let a = ops.agency().await.unwrap();
    let mut inbox: Vec<_> = desk.inbox().await.unwrap().iter().map(|event| event.kind()).collect();
    // News of one journey come in any order: answers and offers travel apart.
    inbox.sort_unstable();
    Told {
        phase: dossier.phase(),
        custodian: dossier.custodian.clone(),
        completed: dossier.completed,
        hops: dossier.hops,
        spine: spine.map(|e| (e.statement.unwrap().r#type, e.custodian)).collect(),
        census: [
            a.held,
            a.offered,
            a.inbox,
            a.gone,
            a.closed,
            a.refused,
            a.followed,
            a.outbox,
            a.quarantined,
        ],
        inbox,
        incarnation: a.incarnation,
    }
}

/// Along the spine, moving or closing custody: each must be in both ledgers exactly once.
fn is_on_spine(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Received | Kind::Ack | Kind::Cancel | Kind::Checkpoint | Kind::Recovery | Kind::Retire
    )
}

impl Story {
    /// Adds an agency. Nothing may be kept twice, and nothing answered twice.
    pub(crate) fn add(&mut self, name: &'static str, told: Told, kept: &[Kept]) {
        let mut seen = BTreeSet::new();
        for one in kept {
            assert!(seen.insert(one.sid), "{name} keeps one statement twice: {one:?}");
        }
        let answers = kept.iter().filter(|k| k.origin == Origin::Made && !is_on_spine(k.kind));
        let mut answered = BTreeSet::new();
        for (kind, about) in answers.flat_map(|k| k.about.iter().map(|about| (k.kind.name(), *about))) {
            assert!(answered.insert((kind, about)), "{name} made a second {kind} about the same");
        }
        let count = |wanted: &dyn Fn(&&Kept) -> bool| {
            let mut counts = BTreeMap::new();
            kept.iter()
                .filter(wanted)
                .for_each(|k| *counts.entry(k.kind.name().to_owned()).or_default() += 1);
            counts
        };
        // Each start greets, so their number is that of the starts.
        let made = count(&|k| k.origin == Origin::Made && k.kind != Kind::Recovery);
        let taken = count(&|k| k.origin != Origin::Made && is_on_spine(k.kind));
        self.agencies.insert(name, Agency { told, made, taken });
    }

    /// The same with the agencies' names of this run made those of all runs.
    pub(crate) fn renamed(mut self, names: &[String; 2]) -> Self {
        let rename = |name: &mut String| match names.iter().position(|n| n == name) {
            Some(0) => *name = "a".to_owned(),
            Some(_) => *name = "b".to_owned(),
            None => {}
        };
        for Agency { told, .. } in self.agencies.values_mut() {
            rename(&mut told.custodian);
            told.spine.iter_mut().for_each(|(_, custodian)| rename(custodian));
        }
        self
    }

    /// The clean run must be what it is meant to be, or comparing with it says nothing.
    pub(crate) fn must_end(&self, at_a: v1::Phase, custodian: &str, at_b: v1::Phase) {
        let (a, b) = (&self.agencies["a"].told, &self.agencies["b"].told);
        assert_eq!((a.phase, a.custodian.as_str(), b.phase), (at_a, custodian, at_b), "{self:#?}");
        assert_eq!((a.census[7], b.census[7]), (0, 0), "the outboxes are empty");
    }
}
