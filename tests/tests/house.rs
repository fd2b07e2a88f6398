//! What the papers of the house promise is there: commands of the README, comments of the contract, the reasons.

mod tree;

use lienthong_core::reason::Reason;
use lienthong_tests::{lienthong, skip_or_fail};
use std::collections::BTreeSet;
use std::process::Command;
use tree::{read, root, sources};

/// Where a public item may go without documentation, and why.
const UNDOCUMENTED: [(&str, &str); 4] = [
    ("proto/src/lib.rs", "generated from the contract, whose comments are checked below"),
    ("services/core/src/custody/state.rs", "one count for each phase, under the phase's name"),
    ("services/core/src/statement.rs", "the kinds are the variants of a documented enum"),
    ("services/core/src/reason.rs", "each reason is explained to people in node/src/grpc/texts.rs"),
];

/// Code of a page: what stands in fences and between backticks.
fn code(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            found.push(line.to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// The words of each call of `program` in a page's code, without what a shell or a comment puts behind them.
fn calls(page: &str, program: &str) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for line in code(page) {
        let line = line.split(" #").next().unwrap_or_default();
        for part in line.split(['|', ';', '&', '(', ')']) {
            let mut words =
                part.split_whitespace().map(str::to_owned).skip_while(|w| w == "$" || w.contains('='));
            let first = words.next().unwrap_or_default();
            let known = first == program || first.ends_with(&format!("/{program}"));
            let words: Vec<String> = words.collect();
            if known && !words.is_empty() {
                found.insert(words);
            }
        }
    }
    found
}

fn readme() -> Option<String> {
    let path = root().join("README.md");
    path.exists().then(|| read(&path))
}

/// Loudly, where a page of the house is not written yet; with CI=true that is a failure.
fn missing<T>(page: &str) -> Option<T> {
    skip_or_fail(&format!("{page} is not there"));
    None
}

#[test]
fn what_the_readme_makes_is_in_the_makefile() {
    let Some(readme) = readme().or_else(|| missing("README.md")) else { return };
    let makefile = read(&root().join("Makefile"));
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter(|l| !l.starts_with(['\t', ' ', '#', '.']))
        .filter_map(|l| Some(l.split_once(':')?.0))
        .collect();
    let asked: BTreeSet<String> =
        calls(&readme, "make").into_iter().flatten().filter(|word| !word.contains('=')).collect();
    assert!(asked.contains("run"), "the README shows `make run`");
    let unknown: Vec<_> = asked.iter().filter(|target| !targets.contains(target.as_str())).collect();
    assert!(unknown.is_empty(), "the README names targets the Makefile lacks: {unknown:?}");
}

#[test]
fn commands_of_the_readme_are_understood() {
    let Some(readme) = readme().or_else(|| missing("README.md")) else { return };
    let word = |w: &&String| w.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !w.starts_with('-');
    let (mut asked, mut faults) = (0, Vec::new());
    for call in calls(&readme, "lienthong") {
        asked += 1;
        let path: Vec<&String> = call.iter().take_while(word).collect();
        let help = Command::new(lienthong()).args(&path).arg("--help").output().expect("lienthong runs");
        let text = String::from_utf8_lossy(&help.stdout);
        if !help.status.success() {
            faults.push(format!("lienthong {path:?} is no command"));
        }
        let flags =
            call.iter().filter(|w| w.starts_with("--")).map(|w| w.split('=').next().unwrap_or_default());
        faults.extend(flags.filter(|f| !text.contains(f)).map(|f| format!("lienthong {path:?} has no {f}")));
    }
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(asked > 0, "the README shows commands of lienthong");
}

#[test]
fn public_items_must_be_documented_in_every_crate() {
    let manifest = read(&root().join("Cargo.toml"));
    let lints = manifest.split("[workspace.lints.rust]").nth(1).expect("lints of the workspace");
    let lints = lints.split("\n[").next().unwrap_or_default();
    let told = lints.lines().any(|l| l.starts_with("missing_docs = \"") && !l.contains("allow"));
    assert!(told, "missing_docs is on");
    assert!(read(&root().join("Makefile")).contains("-D warnings"), "`make lint` makes warnings errors");
    let members = sources(&["Cargo.toml"]).into_iter().filter(|m| m.text.contains("[package]"));
    let apart: Vec<_> =
        members.filter(|m| !m.text.contains("[lints]\nworkspace = true")).map(|m| m.path).collect();
    assert!(apart.is_empty(), "crates without the workspace's lints: {apart:?}");
    let word = ["allow(missing", "_docs"].concat();
    let quiet: Vec<_> = sources(&[".rs"])
        .into_iter()
        .filter(|f| f.text.contains(&word) && !UNDOCUMENTED.iter().any(|(path, _)| *path == f.path))
        .map(|f| f.path)
        .collect();
    assert!(quiet.is_empty(), "undocumented without a reason: {quiet:?}");
}

#[test]
fn everything_in_the_contract_is_explained() {
    let mut bare = Vec::new();
    let contract = sources(&[".proto"]);
    assert!(contract.len() >= 7, "all files of the contract");
    for file in contract {
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let item = ["message ", "enum ", "rpc ", "service "].iter().any(|kind| line.starts_with(kind));
            if item && (number == 0 || !lines[number - 1].starts_with("//")) {
                bare.push(format!("{}:{}: {line}", file.path, number + 1));
            }
        }
    }
    assert!(bare.is_empty(), "without a comment before them: {bare:#?}");
}

/// A name as it stands in error details: `NOT_CUSTODIAN`.
fn shown(reason: Reason) -> String {
    let mut name = String::new();
    for c in format!("{reason:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

#[test]
fn the_protocol_page_lists_every_reason() {
    let path = root().join("PROTOCOL.md");
    let page = path.exists().then(|| read(&path));
    let Some(page) = page.or_else(|| missing("PROTOCOL.md")) else { return };
    let lacks = |reason: &Reason| {
        let (number, name) = (reason.number().to_string(), shown(*reason));
        let is_word = |line: &str, word: &str| {
            line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .any(|w| w == word || w == format!("LT{number}_{word}"))
        };
        !page
            .lines()
            .any(|l| (is_word(l, &number) || l.contains(&format!("LT{number}_"))) && is_word(l, &name))
    };
    let lacking: Vec<String> =
        Reason::ALL.into_iter().filter(lacks).map(|r| format!("{} {}", r.number(), shown(r))).collect();
    assert!(lacking.is_empty(), "PROTOCOL.md has no line with these numbers and names: {lacking:?}");
}
