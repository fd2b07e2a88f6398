//! A batch that is held before the disk: nobody may have been answered for what is in it, whatever the ledger of the
//! killed node then lacks.

use lienthong_core::record::Origin;
use lienthong_core::statement::Kind;
use lienthong_tests::{BOUND, Desk, Patience, Province, eventually, read_ledger};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tonic::Status;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// What the node logs when it holds a batch.
const HELD: &str = "a batch is held before the disk";
/// Calls that do not go through the loop and are answered while it holds: an answer that was let out before its time
/// has left the node before the last of them.
const ROUND_TRIPS: usize = 50;

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

/// What held, or that the officer was done first.
async fn held(nats: &str, batch: u64) -> Option<Kind> {
    let mut province = Province::lay_out(nats, &[&["a"], &["b"]]);
    province.node("a").spawn(&BTreeMap::from([("LIENTHONG_HOLD_COMMIT", batch.to_string())]));
    let asked = Arc::<Mutex<Asked>>::default();
    let officer = Officer { desk: province.desk("a"), asked: Arc::clone(&asked) };
    let mut health = HealthClient::new(province.node("a").channel());
    let mut patience = Patience::new(BOUND, "a batch is held or all is done");
    let mut work = Box::pin(officer.work());
    loop {
        tokio::select! {
            () = &mut work => return None,
            () = patience.look() => {}
        }
        if province.node("a").log().contains(HELD) {
            break;
        }
    }
    let beside = async {
        for _ in 0..ROUND_TRIPS {
            // Before its first commits the node does not serve at all.
            let _ = health.check(HealthCheckRequest { service: String::new() }).await;
        }
    };
    tokio::select! {
        () = &mut work => panic!("the last act was answered, and batch {batch} is held"),
        () = beside => {}
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
