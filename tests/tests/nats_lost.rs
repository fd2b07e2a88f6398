//! NATS is killed and loses all it holds while dossiers move: everything still arrives, and nothing twice.

use lienthong_core::record::Origin;
use lienthong_core::statement::Kind;
use lienthong_proto::v1;
use lienthong_tests::{BOUND, Desk, Kept, Province, broker, eventually, read_ledger};
use lienthong_wire::evidence;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::watch;

const DOSSIERS: usize = 40;
const AGENCIES: [&str; 3] = ["a", "b", "c"];
/// Hand-offs accepted when NATS is lost: early on, and when those that waited for the first loss are on their way.
const LOST_AT: [usize; 2] = [DOSSIERS / 4, DOSSIERS * 2 + 5];
/// There, on, and home again.
const HOPS: usize = 3;

/// How far all have come.
struct Progress {
    accepted: AtomicUsize,
    /// How often NATS was lost. Every other dossier waits before its second hand-off for the first loss, and before its
    /// third for the second, so that none comes after everything.
    lost: watch::Sender<usize>,
}

/// Runs one dossier around all three agencies, from agency `n` on.
async fn around(desks: Arc<Vec<Desk>>, n: usize, progress: Arc<Progress>) -> (usize, String) {
    let home = &desks[n % 3];
    let content = format!("Hồ sơ số {n}");
    let id = home.submit(&format!("submit-{n}"), content.as_bytes()).await.unwrap().dossier_id;
    for hop in 0..HOPS {
        let (from, to) = (&desks[(n + hop) % 3], &desks[(n + hop + 1) % 3]);
        if n % 2 == 1 {
            progress.lost.subscribe().wait_for(|lost| *lost >= hop).await.unwrap();
        }
        if hop + 1 == HOPS {
            from.complete(&format!("complete-{n}"), &id).await.unwrap();
        }
        from.offer(&format!("offer-{n}-{hop}"), &id, &to.agency).await.unwrap();
        to.until(&id, v1::Phase::Inbox).await;
        to.accept(&format!("accept-{n}-{hop}"), &id).await.unwrap();
        progress.accepted.fetch_add(1, Ordering::Relaxed);
    }
    home.return_result(&format!("return-{n}"), &id).await.unwrap();
    (n, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_and_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut broker) = broker(dir.path()).await else { return };
    let mut province = Province::lay_out(&broker.url(), &[&["a"], &["b"], &["c"]]);
    province.start().await;
    let desks = Arc::new(AGENCIES.map(|agency| province.desk(agency)).to_vec());
    let progress = Arc::new(Progress { accepted: AtomicUsize::new(0), lost: watch::Sender::new(0) });
    let mut journeys: Vec<_> =
        (0..DOSSIERS).map(|n| tokio::spawn(around(desks.clone(), n, progress.clone()))).collect();

    for at in LOST_AT {
        let reached = async || (progress.accepted.load(Ordering::Relaxed) >= at).then_some(());
        eventually(BOUND, &format!("{at} hand-offs are accepted"), reached).await;
        broker.kill().await;
        let moved = progress.accepted.load(Ordering::Relaxed);
        let mut waiting = 0;
        for agency in AGENCIES {
            waiting += province.ops(agency).agency().await.unwrap().outbox;
        }
        println!("lost after {moved} of {} hand-offs, {waiting} rows in outboxes", DOSSIERS * HOPS);
        assert!(waiting > 0, "nothing was on its way");
        std::fs::remove_dir_all(broker.store_dir()).unwrap();
        broker.restart().await.unwrap();
        progress.lost.send_modify(|lost| *lost += 1);
    }
    let mut ids = BTreeMap::new();
    for journey in journeys.drain(..) {
        let (n, id) = journey.await.unwrap();
        ids.insert(id, n);
    }
    for agency in AGENCIES {
        province.ops(agency).until_outbox_empty().await;
    }
    verify(&mut province, &desks, &ids).await;
    province.stop().await;
    count(&mut province);
}

/// Every trail is sound in every ledger, and closed at home.
async fn verify(province: &mut Province, desks: &[Desk], ids: &BTreeMap<String, usize>) {
    assert_eq!(ids.len(), DOSSIERS);
    let directory = province.directory();
    for desk in desks {
        let status = province.ops(&desk.agency).agency().await.unwrap();
        assert_eq!((status.outbox, status.quarantined, status.held, status.inbox), (0, 0, 0, 0));
        assert_eq!(desk.list().await.unwrap().len(), DOSSIERS);
        for (id, n) in ids {
            let file = desk.export(&format!("export-{n}"), id).await.unwrap();
            let verdict =
                evidence::verify(file.into(), Some(&directory)).unwrap_or_else(|f| panic!("{id}: {f}"));
            if desk.agency == AGENCIES[n % 3] {
                assert!(verdict.closed && verdict.custodian_now.as_str() == desk.agency);
                assert_eq!(verdict.custodians.len(), HOPS);
            }
        }
    }
}

/// From the disk: each statement once in each ledger, and as many of each kind as there were acts.
fn count(province: &mut Province) {
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for agency in AGENCIES {
        let kept = read_ledger(&province.node(agency).data);
        let sids: BTreeSet<_> = kept.iter().map(|k| k.sid).collect();
        assert_eq!(sids.len(), kept.len(), "{agency} keeps a statement twice");
        let about_dossiers = |k: &&Kept| !matches!(k.kind, Kind::Checkpoint | Kind::Recovery);
        for one in kept.iter().filter(|k| k.origin == Origin::Made).filter(about_dossiers) {
            *made.entry(one.kind.name()).or_default() += one.about.len();
        }
    }
    println!("made: {made:?}");
    let hand_offs = DOSSIERS * HOPS;
    for (kind, wanted) in [
        ("intake", DOSSIERS),
        ("offer", hand_offs),
        ("received", hand_offs),
        ("accept", hand_offs),
        ("completed", DOSSIERS),
        ("returned", DOSSIERS),
    ] {
        assert_eq!(made.get(kind), Some(&wanted), "{kind}");
    }
    assert_eq!(made.len(), 7, "and acknowledgements, nothing else: {made:?}");
}
