//! Damage on disk while a node is down: queues are rebuilt, the ledger is the truth and refuses to be wrong.

#[path = "damage/scene.rs"]
mod scene;
#[path = "damage/segment.rs"]
mod segment;

use lienthong_proto::v1;
use lienthong_tests::{BOUND, eventually, lienthong};
use scene::Scene;
use segment::{commits, noise, patch};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

/// Above anything these tests write: no snapshot.
const NO_SNAPSHOT: u64 = 10_000;
/// Dossiers and notes on each, together more records than a snapshot waits for.
const NOTED: usize = 3;
const NOTES: usize = 50;

fn run(args: &[&str], data: &Path) -> (Output, String) {
    let output = Command::new(lienthong()).args(args).arg(data).output().unwrap();
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output, String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_that_are_gone_are_filled_from_the_ledger() {
    let mut scene = Scene::worked(NO_SNAPSHOT).await;
    let data = scene.data();
    assert_eq!(scene.holds_everything("nothing").await, Vec::<String>::new());
    std::fs::remove_dir_all(data.join("queues")).unwrap();
    let report = scene.holds_everything("the queues were deleted").await;
    println!("deleted: {report:?}");
    assert!(report.iter().any(|line| line.contains("queues")), "{report:?}");
    assert_eq!(scene.holds_everything("a second start").await, Vec::<String>::new());

    std::fs::remove_dir_all(data.join("queues")).unwrap();
    let (output, text) = run(&["fsck"], &data);
    assert!(output.status.success() && text.contains("SOUND"), "{text}");
    assert_eq!(scene.holds_everything("fsck").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_cut_short_are_rebuilt() {
    let mut scene = Scene::worked(NO_SNAPSHOT).await;
    let db = scene.data().join("queues/db");
    let len = std::fs::metadata(&db).unwrap().len();
    for to in [0, 1, 100, len / 4, len / 2, len * 3 / 4, len - 1] {
        scene.reset();
        std::fs::OpenOptions::new().write(true).open(&db).unwrap().set_len(to).unwrap();
        let report = scene.holds_everything(&format!("cut from {len} to {to} bytes")).await;
        println!("cut from {len} to {to} bytes: {report:?}");
    }
    // A cut behind the last row is no damage; one at the beginning always is.
    scene.reset();
    std::fs::OpenOptions::new().write(true).open(&db).unwrap().set_len(0).unwrap();
    let report = scene.holds_everything("cut to nothing").await;
    assert!(report.iter().any(|line| line.contains("queues")), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_of_noise_are_rebuilt() {
    let mut scene = Scene::worked(NO_SNAPSHOT).await;
    let queues = scene.data().join("queues");
    let db = queues.join("db");
    let len = std::fs::metadata(&db).unwrap().len() as usize;
    for (seed, at, bytes) in
        [(1, 0, len), (2, 0, 64), (3, 0, len / 2), (4, 300, 2_000), (5, len / 8, len / 8)]
    {
        scene.reset();
        patch(&db, at, &noise(bytes, seed));
        let after = format!("{bytes} bytes of noise at {at}");
        let report = scene.holds_everything(&after).await;
        println!("{after}: {report:?}");
        if at == 0 {
            assert!(report.iter().any(|line| line.contains("queues")), "{after}: {report:?}");
        }
    }
    scene.reset();
    for entry in std::fs::read_dir(&queues).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            std::fs::write(entry.path(), noise(5_000, 6)).unwrap();
        }
    }
    let report = scene.holds_everything("every file is noise").await;
    println!("every file is noise: {report:?}");
    assert!(report.iter().any(|line| line.contains("the damaged ones are in")), "{report:?}");
}

/// The place a message names: segment file and byte.
fn names_place(text: &str, path: &Path, offset: usize) -> bool {
    let Some((_, rest)) = text.split_once(&format!("{} at byte ", path.display())) else { return false };
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    // A fault is told by the commit or frame that it spoils.
    digits.parse::<usize>().is_ok_and(|at| at <= offset && offset - at < 128 << 10)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_under_a_mark_refuses_to_start_and_says_where() {
    let mut scene = Scene::worked(NO_SNAPSHOT).await;
    let data = scene.data();
    let path = segment::segment(&data);
    let bytes = std::fs::read(&path).unwrap();
    let all: Vec<_> = commits(&bytes).into_iter().filter(|c| !c.is_mark).collect();
    let chosen = [&all[0], &all[1], &all[all.len() / 2], &all[all.len() - 1]];
    let mut places = vec![segment::Place { part: "segment header", offset: 40 }];
    places.extend(chosen.iter().flat_map(|commit| commit.parts(&bytes)));
    for (nth, place) in places.iter().enumerate() {
        let byte = bytes[place.offset];
        patch(&path, place.offset, &[byte ^ (1 << (nth % 8))]);
        scene.province.node("xa").spawn(&BTreeMap::new());
        let Err(ended) = scene.province.node("xa").ready().await else {
            panic!("a flipped bit in the {} at {} was not seen", place.part, place.offset)
        };
        assert!(!ended.status.success(), "{}", ended.log);
        let last = ended.log.lines().rfind(|line| line.contains("ledger fault")).unwrap_or_default();
        assert!(names_place(last, &path, place.offset), "{} at {}:\n{}", place.part, place.offset, ended.log);
        let (output, text) = run(&["ledger", "verify"], &data);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(names_place(&text, &path, place.offset), "{} at {}: {text}", place.part, place.offset);
        patch(&path, place.offset, &[byte]);
    }
    println!("{} flipped bits in {} commits, each refused with its place", places.len(), all.len());
    assert!(
        ["payload", "proof", "body", "padding"].iter().all(|part| places.iter().any(|p| p.part == *part))
    );
    assert_eq!(scene.holds_everything("all bits put back").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_before_the_snapshot_is_found_by_the_scrub() {
    let mut scene = Scene::worked(100).await;
    let data = scene.data();
    // Notes until a snapshot is there and the ledger has recorded it.
    scene.province.node("xa").start().await;
    let desk = scene.province.desk("xa");
    for n in 0..NOTED {
        let id = desk.submit(&format!("long-{n}"), b"").await.unwrap().dossier_id;
        for m in 0..NOTES {
            let note = v1::AddNoteRequest {
                act: desk.act(&format!("note-{n}-{m}")),
                dossier: lienthong_tests::ref_id(&id),
                text: format!("Ghi chú {m}"),
            };
            desk.client.clone().add_note(note).await.unwrap();
        }
    }
    scene.province.node("xa").stop().await;
    let path = segment::segment(&data);
    let bytes = std::fs::read(&path).unwrap();
    let second = commits(&bytes)[1];
    let place = second.parts(&bytes).into_iter().find(|place| place.part == "payload").unwrap();
    patch(&path, place.offset, &[bytes[place.offset] ^ 1]);

    let node = scene.province.node("xa");
    node.spawn(&BTreeMap::new());
    let status = eventually(BOUND, "the scrub stops the node", async || node.ended()).await;
    let log = node.log();
    assert!(!status.success());
    let told = log.lines().rev().find(|line| line.contains("ledger fault"));
    let told = told.unwrap_or_else(|| panic!("the fault is not told:\n{log}"));
    println!("{told}");
    assert!(names_place(told, &path, place.offset), "{told}");
    assert!(!log.contains("not used"), "the snapshot was to spare the start this commit:\n{log}");
    let (output, text) = run(&["ledger", "verify"], &data);
    assert!(output.status.code() == Some(1) && names_place(&text, &path, place.offset), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmarked_torn_tail_is_cut_and_reported() {
    let mut scene = Scene::worked(NO_SNAPSHOT).await;
    let data = scene.data();
    let path = segment::segment(&data);
    // Killed between the commit of a submission and its answer: durable, unanswered, and no mark behind it.
    scene.province.node("xa").spawn(&BTreeMap::from([("LIENTHONG_KILL_AFTER_COMMIT", "1".to_owned())]));
    scene.province.node("xa").ready().await.unwrap();
    let desk = scene.province.desk("xa");
    let content = vec![7; 20_000];
    desk.submit("cut", &content).await.unwrap_err();
    eventually(BOUND, "the node is dead", async || scene.province.node("xa").ended()).await;

    let bytes = std::fs::read(&path).unwrap();
    let last = *commits(&bytes).last().unwrap();
    assert!(!last.is_mark && last.len > content.len());
    let whole = bytes[last.offset..last.offset + last.len.next_multiple_of(4096)].to_vec();
    for at in last.tears() {
        scene.reset();
        let mut torn = whole.clone();
        torn[at..].fill(0);
        patch(&path, last.offset, &torn);
        let report = scene.holds_everything(&format!("torn after {at} of {} bytes", last.len)).await;
        println!("torn after {at} of {} bytes: {report:?}", last.len);
        assert!(report.iter().any(|line| line.contains("torn tail was cut")), "{report:?}");
    }

    // Not torn, it counts: the officer's second try finds it.
    scene.reset();
    patch(&path, last.offset, &whole);
    scene.province.node("xa").start().await;
    assert!(desk.submit("cut", &content).await.unwrap().repeated_call);
}
