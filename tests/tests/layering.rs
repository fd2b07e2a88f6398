//! The house as it is drawn: which crate may use which, and what none may do.

mod tree;

use std::collections::{BTreeMap, BTreeSet};
use tree::{members, sources};

/// The crates each crate of ours may use, whether it is there already or not. A new arrow is drawn in ARCHITECTURE.md in the same commit.
const ARROWS: [(&str, &[&str]); 10] = [
    ("lienthong-core", &[]),
    ("lienthong-proto", &[]),
    ("lienthong-runtime", &[]),
    ("lienthong-wire", &["core", "proto"]),
    ("lienthong-sim", &["core", "wire"]),
    ("lienthong-link", &["core"]),
    ("lienthong-store", &["core", "wire"]),
    ("lienthong-node", &["core", "proto", "wire", "store", "link", "runtime"]),
    ("lienthong", &["core", "proto", "wire", "store", "link", "runtime", "node"]),
    ("lienthong-tests", &["core", "proto", "wire", "sim", "store", "link", "runtime", "node"]),
];

/// Libraries that one crate alone may name, so that they can be replaced in one place.
const KEPT_TO_ONE: [(&str, &str); 5] = [
    ("sled", "lienthong-store"),
    ("async-nats", "lienthong-link"),
    ("opentelemetry", "lienthong-runtime"),
    ("tracing-subscriber", "lienthong-runtime"),
    ("tracing-opentelemetry", "lienthong-runtime"),
];

/// Who names one of them all the same, and why.
const EXCEPTIONS: [(&str, &str, &str); 2] = [
    ("lienthong-tests", "sled", "the store known to be wrong, for which the power-cut rig must be red"),
    ("lienthong-tests", "opentelemetry-proto", "a collector, in whose hands no secret may come"),
];

/// Longer files are split (CONTRIBUTING.md).
const FILE_LINES: usize = 500;

/// Where time may pass without something to wait for, and why.
const SLEEPS: [(&str, &str); 10] = [
    (
        "services/lienthong/src/play/wait.rs",
        "looks again at a node of another process until its bound is over",
    ),
    ("services/lienthong/src/status.rs", "looks again at a node of another process until its bound is over"),
    ("services/link/src/nats/mod.rs", "asks a server again that is too busy with one stream; bounded"),
    ("services/link/src/nats/pump.rs", "backs off before a mailbox is repaired again"),
    ("services/node/src/engine/anchor.rs", "the anchor is written at most once a second"),
    ("services/node/src/engine/run.rs", "the loop's one timer: sleeps until the core's next time-out"),
    ("services/runtime/src/drain.rs", "a step of a drain that takes its time, in a test in virtual time"),
    ("tests/peers/src/disk/flushes.rs", "a slow disk: a flush takes as long as was asked for"),
    ("tests/src/line.rs", "a slow line: each byte arrives when it is due, and not before"),
    ("services/store/src/queues/guard.rs", "sled gives its lock back late and tells nobody; bounded"),
];

#[test]
fn arrows_between_our_crates_are_as_drawn() {
    let allowed: BTreeMap<&str, BTreeSet<String>> = ARROWS
        .iter()
        .map(|(name, may)| (*name, may.iter().map(|m| format!("lienthong-{m}")).collect()))
        .collect();
    let mut faults = Vec::new();
    for member in members() {
        let Some(may) = allowed.get(member.name.as_str()) else {
            faults.push(format!("{} is not drawn", member.name));
            continue;
        };
        let ours = member.dependencies.iter().filter(|d| !d.for_tests && d.name.starts_with("lienthong"));
        faults.extend(
            ours.filter(|d| !may.contains(&d.name))
                .map(|d| format!("{} may not use {}", member.name, d.name)),
        );
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(members().iter().any(|m| m.name == "lienthong-core"), "cargo metadata names our crates");
}

#[test]
fn some_libraries_are_kept_to_one_crate() {
    let mut faults = Vec::new();
    for member in members() {
        let excepted =
            |library: &str| EXCEPTIONS.iter().any(|(by, of, _)| *by == member.name && *of == library);
        for dependency in member.dependencies.iter().filter(|d| !excepted(&d.name)) {
            let family = |library: &str| {
                dependency.name == library
                    || dependency.name.starts_with(&format!("{library}-"))
                    || dependency.name.starts_with(&format!("{library}_"))
            };
            let kept = KEPT_TO_ONE.iter().find(|(library, _)| family(library));
            faults
                .extend(kept.filter(|(_, by)| member.name != *by).map(|(_, by)| {
                    format!("{} names {}, which only {by} may", member.name, dependency.name)
                }));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn the_core_is_pure() {
    let core = members().iter().find(|m| m.name == "lienthong-core").expect("the core");
    let used: Vec<&str> = core.dependencies.iter().filter(|d| !d.for_tests).map(|d| &*d.name).collect();
    assert!(used.is_empty(), "the core depends on {used:?}");
    let files = sources(&[".rs"]);
    let lib = files.iter().find(|f| f.path == "services/core/src/lib.rs").expect("lib.rs of the core");
    for line in ["#![no_std]", "#![forbid(unsafe_code)]"] {
        assert!(lib.text.lines().any(|l| l == line), "lib.rs of the core lacks {line}");
    }
    let impure: Vec<&str> = files
        .iter()
        .filter(|f| f.path.starts_with("services/core/src/") && f.text.contains("extern crate std"))
        .map(|f| &*f.path)
        .collect();
    assert!(impure.is_empty(), "std comes back in {impure:?}");
}

/// What may be spoken rests on this: outside the store nobody says that something is durable.
#[test]
fn only_the_store_attests_that_something_is_durable() {
    let said: BTreeSet<String> = sources(&[".rs"])
        .into_iter()
        .filter(|f| !f.is_test() && f.text.contains("Durable::attest("))
        .map(|f| f.path)
        .collect();
    assert!(!said.is_empty(), "the store attests somewhere");
    // The simulator's disks are its own; nothing real runs on them.
    let may = ["services/store/src/", "services/sim/src/"];
    let others: Vec<_> = said.iter().filter(|path| !may.iter().any(|m| path.starts_with(m))).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn files_are_short() {
    let long: Vec<String> = sources(&[".rs", ".proto", ".sh", ".py", "Makefile"])
        .into_iter()
        .map(|f| (f.text.lines().count(), f.path))
        .filter(|(lines, _)| *lines > FILE_LINES)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "above {FILE_LINES} lines: {long:#?}");
    let clippy = tree::read(&tree::root().join("clippy.toml"));
    assert!(
        clippy.lines().any(|l| l.trim() == "too-many-lines-threshold = 70"),
        "functions are bounded by clippy"
    );
}

/// The words are put together here, so that this file does not find itself.
#[test]
fn nothing_is_left_open_and_nobody_just_waits() {
    let open = [["to", "do!"].concat(), ["unimple", "mented!"].concat(), ["#[ig", "nore"].concat()];
    let sleeps = [["time::sl", "eep"].concat(), ["thread::sl", "eep"].concat()];
    let mut faults = Vec::new();
    let mut slept = BTreeSet::new();
    for file in sources(&[".rs"]) {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(word) = open.iter().find(|word| line.contains(*word)) {
                faults.push(format!("{}:{}: {word}", file.path, number + 1));
            }
            if sleeps.iter().any(|word| line.contains(word)) {
                if !SLEEPS.iter().any(|(path, _)| *path == file.path) {
                    faults.push(format!("{}:{}: sleeps without a reason", file.path, number + 1));
                }
                slept.insert(file.path.clone());
            }
        }
    }
    faults.extend(
        SLEEPS
            .iter()
            .filter(|(path, _)| !slept.contains(*path))
            .map(|(path, _)| format!("{path} has a reason to sleep and does not")),
    );
    assert!(faults.is_empty(), "{faults:#?}");
}
