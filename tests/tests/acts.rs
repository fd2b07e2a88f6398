//! Acts of the authority on the command line: nodes keep four about one agency, so the third is warned of and the fifth refused.

use lienthong_tests::{Province, lienthong};
use std::path::Path;
use std::process::Command;

/// Signs an act about an agency into a file: exit code, output, and what it says beside.
fn sign(
    province: &Province,
    more: &[&str],
    gone: &str,
    successor: &str,
    out: &Path,
) -> (Option<i32>, String, String) {
    let (key, directory) = (province.authority_key(), province.directory_file());
    let done = Command::new(lienthong())
        .args(more)
        .args(["authority", "retire", gone, "--successor", successor, "--why", "NQ 1668/NQ-UBTVQH15"])
        .arg("--key")
        .arg(key)
        .arg("--directory")
        .arg(directory)
        .arg("--out")
        .arg(out)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn the_third_act_about_one_agency_is_warned_of_and_the_fifth_refused() {
    let province = Province::lay_out("nats://127.0.0.1:1", &[&["a"], &["b"], &["c"], &["d"]]);
    let acts = province.path().join("acts");
    std::fs::create_dir(&acts).unwrap();
    let file = |n: usize| acts.join(format!("b-{n}.act"));
    for (n, successor) in [(1, "a"), (2, "c"), (3, "d"), (4, "a")] {
        let (code, said, beside) = sign(&province, &[], "b", successor, &file(n));
        assert_eq!(code, Some(0), "{beside}");
        assert!(said.contains("the act is signed"), "{said}");
        let warned = [format!("quyết định thứ {n}"), format!("act number {n} about b")];
        assert_eq!(warned.iter().all(|part| beside.contains(part)), n >= 3, "{n}: {beside}");
        // A copy of an act, and what is no act, count for nothing.
        std::fs::copy(file(n), acts.join(format!("copy-{n}.act"))).unwrap();
    }
    std::fs::write(acts.join("notes.txt"), "about b").unwrap();

    let (code, said, beside) = sign(&province, &[], "b", "c", &file(5));
    assert_eq!((code, said.as_str()), (Some(1), ""));
    let parts = [
        "đã có 4 quyết định về b",
        "there are 4 acts about b",
        "LT110_TOO_MANY_ITEMS",
        "đưa đủ 4",
        "bring those 4",
    ];
    parts.iter().for_each(|part| assert!(beside.contains(part), "{part} is not in {beside}"));
    assert!(!file(5).exists());
    let (_, _, beside) = sign(&province, &["--json"], "b", "c", &file(5));
    let error: serde_json::Value = serde_json::from_str(&beside).unwrap();
    assert_eq!(error["error"]["reason"], "LT110_TOO_MANY_ITEMS", "{beside}");

    // Of others there is none yet; and whoever keeps them elsewhere is not told.
    let (code, _, beside) = sign(&province, &[], "c", "a", &acts.join("c-1.act"));
    assert_eq!((code, beside.as_str()), (Some(0), ""));
}

/// What another authority signed is no act of this directory.
#[test]
fn acts_of_another_authority_count_for_nothing() {
    let [mine, other] = [(); 2].map(|()| Province::lay_out("nats://127.0.0.1:1", &[&["a"], &["b"]]));
    for n in 1..=4 {
        let out = mine.path().join(format!("other-{n}.act"));
        // Signed where its key is known, and brought here.
        let theirs = other.path().join(format!("b-{n}.act"));
        assert_eq!(sign(&other, &[], "b", "a", &theirs).0, Some(0));
        std::fs::copy(theirs, out).unwrap();
    }
    let (code, _, beside) = sign(&mine, &[], "b", "a", &mine.path().join("b-1.act"));
    assert_eq!((code, beside.as_str()), (Some(0), ""));
}
