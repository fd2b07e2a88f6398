//! A batch that is held before the disk: nobody may have been answered for what is in it, whatever the ledger of the
//! killed node then lacks.

use lienthong_core::record::Origin;
use lienthong_core::statement::Kind;
use lienthong_proto::v1;
use lienthong_tests::{BOUND, Desk, NodeProcess, Patience, Province, eventually, read_ledger};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tonic::Status;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// What the node logs when it holds a batch.
const HELD: &str = "a batch is held before the disk";
/// Calls that do not go through the loop and are answered while it holds: an answer that was let out before its time
/// has left the node before the last of them.
const ROUND_TRIPS: usize = 50;

/// Offers that who watches an inbox is told of.
const OFFERS: usize = 3;

/// What an officer asked for, in order, and how much of it was answered.
#[derive(Debug, Default)]
struct Asked {
    kinds: Vec<Kind>,
    answered: usize,
}

/// An officer of `a`, who asks for one thing after the other and repeats what the transport lost.
struct Officer {
    desk: Desk,
    asked: Arc<Mutex<Asked>>,
}

impl Officer {
    async fn ask<T>(&self, kind: Kind, mut call: impl AsyncFnMut(&Desk) -> Result<T, Status>) -> T {
        self.asked.lock().unwrap().kinds.push(kind);
        let answer = eventually(BOUND, "an answer", async || match call(&self.desk).await {
            Ok(answer) => Some(answer),
            Err(status) if status.details().is_empty() => None,
            Err(status) => panic!("{kind:?}: {status}"),
        });
        let answer = answer.await;
        self.asked.lock().unwrap().answered += 1;
        answer
    }

    async fn work(&self) {
        let taken_in = self.ask(Kind::Intake, async |desk| desk.submit("submit", b"to khai").await).await;
        let id = &taken_in.dossier_id;
        self.ask(Kind::Offer, async |desk| desk.offer("offer", id, "b").await).await;
        self.ask(Kind::Cancel, async |desk| desk.recall("recall", id, "Chuyển nhầm").await).await;
    }
}

/// Goes on with `work` until a batch of this node is held and has been for a while: whether it is, or `work` was done
/// first. Work that is done while the batch is held fails.
async fn is_held(node: &NodeProcess, work: &mut (impl Future<Output = ()> + Unpin)) -> bool {
    let mut patience = Patience::new(BOUND, "a batch is held or all is done");
    while !node.log().contains(HELD) {
        tokio::select! {
            () = &mut *work => return false,
            () = patience.look() => {}
        }
    }
    let mut health = HealthClient::new(node.channel());
    let beside = async {
        for _ in 0..ROUND_TRIPS {
            // Before its first commits the node does not serve at all.
            let _ = health.check(HealthCheckRequest { service: String::new() }).await;
        }
    };
    tokio::select! {
        () = work => panic!("all is done, and a batch is held"),
        () = beside => true,
    }
}

fn hold(batch: u64) -> BTreeMap<&'static str, String> {
    BTreeMap::from([("LIENTHONG_HOLD_COMMIT", batch.to_string())])
}

/// What held, or that the officer was done first.
async fn held(nats: &str, batch: u64) -> Option<Kind> {
    let mut province = Province::lay_out(nats, &[&["a"], &["b"]]);
    province.node("a").spawn(&hold(batch));
    let asked = Arc::<Mutex<Asked>>::default();
    let officer = Officer { desk: province.desk("a"), asked: Arc::clone(&asked) };
    let mut work = Box::pin(officer.work());
    if !is_held(province.node("a"), &mut work).await {
        return None;
    }
    drop(work);
    province.node("a").kill().await;
    let kept = read_ledger(&province.node("a").data);
    let made: Vec<Kind> =
        kept.iter().filter(|kept| kept.origin == Origin::Made).map(|kept| kept.kind).collect();
    let asked = asked.lock().unwrap();
    for kind in &asked.kinds[..asked.answered] {
        assert!(
            made.contains(kind),
            "{kind:?} was answered, batch {batch} was held, and the ledger has only {made:?}"
        );
    }
    asked.kinds.get(asked.answered).copied()
}

/// Holds the first batch, the second and so on, until an officer gets through.
pub(crate) async fn nobody_is_answered_before(nats: &str, most: u64) {
    let mut waiting = BTreeSet::new();
    for batch in 1..=most {
        match held(nats, batch).await {
            None => break,
            Some(kind) => drop(waiting.insert(format!("{kind:?}"))),
        }
        assert!(batch < most, "it never ends");
    }
    println!("held with these unanswered: {waiting:?}");
    for kind in [Kind::Intake, Kind::Offer, Kind::Cancel] {
        assert!(waiting.contains(&format!("{kind:?}")), "no batch was held with {kind:?} unanswered");
    }
}

/// Who watches the inbox of `b` while `a` offers one dossier after the other. The watch waits for the loop when it gets the
/// second, and no more looks up what was before.
async fn watch(a: Desk, b: Desk, told: Arc<Mutex<Vec<v1::InboxEvent>>>) {
    let asked = v1::WatchInboxRequest { agency: b.agency.clone(), after: None };
    let events =
        eventually(BOUND, "a watch", async || b.client.clone().watch_inbox(asked.clone()).await.ok());
    let mut events = events.await.into_inner();
    for n in 0..OFFERS {
        let id = a.submit(&format!("submit-{n}"), b"to khai").await.expect("an intake").dossier_id;
        a.offer(&format!("offer-{n}"), &id, "b").await.expect("an offer");
        // The node that is killed ends the watch.
        let Ok(Some(next)) = events.message().await else { return };
        told.lock().unwrap().push(next.event.expect("an event"));
    }
}

/// How many events were told while a batch of the receiver was held, or that all were told first.
async fn held_at_receiver(nats: &str, batch: u64) -> Option<usize> {
    let mut province = Province::lay_out(nats, &[&["a"], &["b"]]);
    province.node("a").start().await;
    province.node("b").spawn(&hold(batch));
    let told = Arc::<Mutex<Vec<v1::InboxEvent>>>::default();
    let mut work = Box::pin(watch(province.desk("a"), province.desk("b"), Arc::clone(&told)));
    if !is_held(province.node("b"), &mut work).await {
        return None;
    }
    drop(work);
    province.node("b").kill().await;
    let kept: BTreeSet<String> =
        read_ledger(&province.node("b").data).iter().map(|kept| kept.sid.to_string()).collect();
    let told = told.lock().unwrap();
    for event in &*told {
        assert!(kept.contains(&event.statement_id), "batch {batch} was held, and {event:?} was told");
    }
    Some(told.len())
}

/// Holds the first batch of the receiver, the second and so on, until who watches its inbox is told of every offer.
pub(crate) async fn nobody_is_told_before(nats: &str, most: u64) {
    let mut held = BTreeSet::new();
    for batch in 1..=most {
        let Some(told) = held_at_receiver(nats, batch).await else {
            println!("held after so many events: {held:?}");
            assert!(
                (0..OFFERS).all(|told| held.contains(&told)),
                "nothing was held before one of the events"
            );
            return;
        };
        held.insert(told);
    }
    panic!("it never ends");
}
