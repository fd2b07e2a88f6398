//! An agency is gone for good, and the authority retires it: real processes, the real command line, and a node that was
//! put back from an old copy and must not wait for the one that never comes.

use lienthong_proto::v1;
use lienthong_tests::{Province, broker, eventually, lienthong};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A recovery asks again after two seconds, doubling: on a loaded machine several such pauses may pass.
const BOUND: Duration = Duration::from_secs(90);

/// Runs the binary: whether it ended well, and what it said.
fn run(args: &[&str]) -> (bool, String) {
    let done = Command::new(lienthong()).args(args).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The same, and it must end well.
fn well(args: &[&str]) -> String {
    let (well, said) = run(args);
    assert!(well, "lienthong {args:?}: {said}");
    said
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Signs the act about an agency; gives its file.
fn sign(province: &Province, gone: &str, successor: &str) -> std::path::PathBuf {
    let out = province.path().join(format!("{gone}.act"));
    let (key, directory) = (province.authority_key(), province.directory_file());
    let args = ["--why", "NQ 1668/NQ-UBTVQH15", "--key", text(&key), "--directory", text(&directory)];
    let named = ["authority", "retire", gone, "--successor", successor];
    let said = well(&[&named[..], &args[..], &["--out", text(&out)][..]].concat());
    assert!(said.contains("the act is signed"), "{said}");
    out
}

/// Waits until a node knows that the agency is retired, and every peer has said that it knows too.
async fn everybody_knows(province: &mut Province, at: &str, gone: &str) -> v1::RetiredAgency {
    let ops = province.ops(at);
    eventually(BOUND, &format!("{at} knows that {gone} is retired, and everybody else"), async || {
        let retired = ops.status().await.ok()?.retired;
        retired.into_iter().find(|r| r.agency == gone && r.unheard.is_empty())
    })
    .await
}

/// The trail over the RECLAIM verifies from both ledgers, with the act in it, and the control sheet tells of it.
async fn proved(province: &mut Province, dir: &Path, id: &str) {
    let directory = province.directory_file();
    for agency in ["a", "c"] {
        let (desk, ops) = (province.desk(agency), province.ops(agency));
        let key = format!("export-{agency}-{}", ops.agency().await.unwrap().ledger_size);
        let file = dir.join(format!("{agency}.evidence"));
        std::fs::write(&file, desk.export(&key, id).await.unwrap()).unwrap();
        let args = ["trail", "verify", text(&file), "--directory", text(&directory)];
        let verdict = well(&[&["--json"], &args[..]].concat());
        let verdict: serde_json::Value = serde_json::from_str(&verdict).unwrap();
        assert_eq!(verdict["custodian_now"], "c", "{agency}: {verdict}");
        assert_eq!(verdict["hand_overs"][0]["outcome"], "reclaimed", "{verdict}");
        let trail = desk.trail(id).await.unwrap().entries;
        let of = |kind: &str| {
            let name = format!("application/vnd.lienthong.{kind}.v1");
            let found = trail.iter().find(|e| e.statement.as_ref().is_some_and(|s| s.r#type == name));
            found.unwrap_or_else(|| panic!("{agency} shows no {kind}")).on_spine
        };
        assert!(of("reclaim") && !of("retire"), "the act lies beside the spine");
        let url = province.node(agency).url();
        let sheet = well(&["dossier", "--node", &url, "trail", id, "--as", agency]);
        assert!(sheet.contains("BÊN GIAO NHẬN LẠI"), "{sheet}");
    }
}

/// The act about B comes to A alone, and C hears of it from A.
async fn retire_b(province: &mut Province) {
    let (act, url) = (sign(province, "b", "c"), province.node("a").url());
    // Another than the authority retires nobody.
    let mut forged = std::fs::read(&act).unwrap();
    *forged.last_mut().unwrap() ^= 1;
    let bad = province.path().join("forged.act");
    std::fs::write(&bad, forged).unwrap();
    let (well_done, said) = run(&["authority", "apply", text(&bad), "--node", &url]);
    assert!(!well_done && said.contains("LT401"), "{said}");

    let said = well(&["authority", "apply", text(&act), "--node", &url]);
    assert!(said.contains("retired"), "{said}");
    let said = well(&["authority", "apply", text(&act), "--node", &url]);
    assert!(said.contains("known before"), "{said}");
    everybody_knows(province, "a", "b").await;
    let told = everybody_knows(province, "c", "b").await;
    assert_eq!((told.successor.as_str(), told.name.as_str()), ("c", "Cơ quan b"));
    let said = well(&["status", "--node", &province.node("c").url()]);
    assert!(said.contains("every peer knows"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_ends_without_the_agency_that_is_retired() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut province = Province::lay_out(&broker.url(), &[&["a"], &["b"], &["c"]]);
    province.start().await;
    let (a, c) = (province.desk("a"), province.desk("c"));
    // A gives a dossier to C after its backup, and offers one to B, whose machine then burns.
    let given = a.submit("k1", b"to c").await.unwrap().dossier_id;
    let open = a.submit("k2", b"to b").await.unwrap().dossier_id;
    let (data, copy) = (province.node("a").data.clone(), dir.path().join("copy"));
    well(&["backup", text(&copy), "--data", text(&data)]);
    a.offer_until("k3", &given, "c", v1::AckLevel::Received, 30_000).await.unwrap();
    c.accept("k4", &given).await.unwrap();
    a.until(&given, v1::Phase::Gone).await;
    province.node("b").kill().await;
    a.offer("k5", &open, "b").await.unwrap();

    retire_b(&mut province).await;
    // C says that it knows of no acceptance: A has the dossier back.
    let back = a.until(&open, v1::Phase::Held).await;
    assert_eq!(back.custodian, "a");
    let refused = a.offer("k6", &open, "b").await.unwrap_err();
    assert!(refused.message().contains("LT204"), "{refused}");
    let fresh = a.submit("k8", b"new").await.unwrap().dossier_id;
    let refused = a.offer("k9", &fresh, "b").await.unwrap_err();
    assert!(refused.message().contains("LT204"), "{refused}");
    a.offer("k10", &fresh, "c").await.unwrap();
    c.until(&fresh, v1::Phase::Inbox).await;
    a.offer("k11", &open, "c").await.unwrap();
    c.until(&open, v1::Phase::Inbox).await;
    c.accept("k12", &open).await.unwrap();
    a.until(&open, v1::Phase::Gone).await;
    proved(&mut province, dir.path(), &open).await;

    // A comes back from a copy that knows nothing of the act. It does not wait for B, and learns why.
    province.node("a").stop().await;
    std::fs::remove_dir_all(&data).unwrap();
    well(&["restore", text(&copy), "--data", text(&data)]);
    province.node("a").start().await;
    let ops = province.ops("a");
    let told = eventually(BOUND, "a has recovered", async || {
        let told = ops.agency().await.ok()?.recovery?;
        (told.ended_ms > 0).then_some(told)
    })
    .await;
    assert!(told.returned > 0, "{told:?}");
    everybody_knows(&mut province, "a", "b").await;
    let a = province.desk("a");
    a.until(&given, v1::Phase::Gone).await;
    a.until(&open, v1::Phase::Gone).await;
    c.until(&given, v1::Phase::Held).await;
    proved(&mut province, dir.path(), &open).await;

    // B's node starts after all: it hears that it is retired, and does nothing any more.
    province.node("b").start().await;
    everybody_knows(&mut province, "b", "b").await;
    let b = province.desk("b");
    let refused = b.submit("k1", b"too late").await.unwrap_err();
    assert!(refused.message().contains("LT506"), "{refused}");
    province.stop().await;
    let directory = province.directory_file();
    for agency in ["a", "b", "c"] {
        let data = province.node(agency).data.clone();
        let said = well(&["ledger", "verify", text(&data), "--directory", text(&directory)]);
        assert!(said.contains("SOUND"), "{said}");
    }
}

/// The trail over the SUCCEED verifies from both ledgers, and the control sheet tells of it.
async fn proved_taken_over(province: &mut Province, dir: &Path, id: &str) {
    let directory = province.directory_file();
    for agency in ["a", "c"] {
        let (desk, url) = (province.desk(agency), province.node(agency).url());
        let file = dir.join(format!("{agency}.evidence"));
        std::fs::write(&file, desk.export("export", id).await.unwrap()).unwrap();
        let args = ["--json", "trail", "verify", text(&file), "--directory", text(&directory)];
        let verdict: serde_json::Value = serde_json::from_str(&well(&args)).unwrap();
        assert_eq!(verdict["custodian_now"], "c", "{agency}: {verdict}");
        let sheet = well(&["dossier", "--node", &url, "trail", id, "--as", agency]);
        assert!(sheet.contains("Kế thừa:") && sheet.contains("Tiếp nhận theo quyết định"), "{sheet}");
    }
}

/// B is merged into C: what A handed to it, and what C had given it back before, is C's, with content, code and date.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_merged_agency_held_is_its_successors() {
    let dir = tempfile::tempdir().unwrap();
    let Some(broker) = broker(dir.path()).await else { return };
    let mut province = Province::lay_out(&broker.url(), &[&["a"], &["b"], &["c"]]);
    province.start().await;
    let (a, b, c) = (province.desk("a"), province.desk("b"), province.desk("c"));
    let mut held = Vec::new();
    for n in 0..5 {
        let id = a.submit(&format!("in-{n}"), format!("hồ sơ {n}").as_bytes()).await.unwrap().dossier_id;
        a.offer_until(&format!("to-b-{n}"), &id, "b", v1::AckLevel::Received, 30_000).await.unwrap();
        b.accept(&format!("by-b-{n}"), &id).await.unwrap();
        a.until(&id, v1::Phase::Gone).await;
        held.push(id);
    }
    // One went on to C before, one lies in C's inbox, and one that C never heard of is with B alone.
    let (gone_on, in_inbox) = (held.remove(0), held.remove(0));
    b.offer_until("on-0", &gone_on, "c", v1::AckLevel::Received, 30_000).await.unwrap();
    c.accept("by-c-0", &gone_on).await.unwrap();
    b.offer_until("on-1", &in_inbox, "c", v1::AckLevel::Received, 30_000).await.unwrap();
    b.until(&gone_on, v1::Phase::Gone).await;
    let mut before = Vec::new();
    for id in &held {
        before.push(a.get(id).await.unwrap());
    }
    province.node("b").kill().await;

    let (act, url) = (sign(&province, "b", "c"), province.node("a").url());
    well(&["authority", "apply", text(&act), "--node", &url]);
    for (n, id) in held.iter().enumerate() {
        let taken = eventually(BOUND, "c has taken over what b held", async || {
            c.get(id).await.ok().filter(|d| d.phase() == v1::Phase::Held)
        })
        .await;
        assert_eq!((taken.custodian.as_str(), taken.received_at_agency.as_str()), ("c", "a"));
        assert_eq!((&taken.code, taken.due_at_ms), (&before[n].code, before[n].due_at_ms));
        let content = c.content(id).await.unwrap().unwrap();
        assert!(content.data.ends_with(format!("hồ sơ {}", n + 2).as_bytes()), "the content came with it");
    }
    // Its officers find it in the inbox and in the list; the one that B had offered to C is still C's to sign.
    let events = c.inbox().await.unwrap();
    let of =
        |id: &str| events.iter().filter(|e| e.dossier_id == id).map(v1::InboxEvent::kind).collect::<Vec<_>>();
    assert!(held.iter().all(|id| of(id) == [v1::InboxEventKind::Succeeded]), "{events:?}");
    let shown = well(&["dossier", "--node", &province.node("c").url(), "inbox", "--as", "c"]);
    assert!(shown.contains("SUCCEEDED"), "{shown}");
    let listed = c.list().await.unwrap();
    assert!(held.iter().all(|id| listed.iter().any(|d| d.id == *id && d.phase() == v1::Phase::Held)));
    assert_eq!(c.get(&in_inbox).await.unwrap().phase(), v1::Phase::Inbox);
    let told = everybody_knows(&mut province, "c", "b").await;
    assert_eq!((told.left, told.undecided_at, told.past_lost), (1, vec!["c".to_owned()], Vec::new()));
    let said = well(&["status", "--node", &province.node("c").url()]);
    assert!(said.contains("in the inbox of"), "{said}");
    c.accept("by-c-1", &in_inbox).await.unwrap();
    assert_eq!(c.get(&gone_on).await.unwrap().phase(), v1::Phase::Held);

    // The place of receipt knows who has it, and both ledgers prove it offline.
    let first = held[0].clone();
    let known = eventually(BOUND, "a knows that c has it", async || {
        a.get(&first).await.ok().filter(|d| d.custodian == "c")
    })
    .await;
    assert_eq!(known.phase(), v1::Phase::Gone);
    proved_taken_over(&mut province, dir.path(), &first).await;
    c.complete("done", &first).await.unwrap();
    c.return_result("returned", &first).await.unwrap();
    a.until(&first, v1::Phase::Closed).await;
    let told = everybody_knows(&mut province, "c", "b").await;
    assert_eq!((told.left, told.unanswered), (0, Vec::new()), "nothing is left, and nobody is waited for");
    let directory = province.directory_file();
    province.stop().await;
    for agency in ["a", "c"] {
        let data = province.node(agency).data.clone();
        let said = well(&["ledger", "verify", text(&data), "--directory", text(&directory)]);
        assert!(said.contains("SOUND"), "{said}");
    }
}
