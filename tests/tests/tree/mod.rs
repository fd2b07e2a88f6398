//! The repository as text: its files, and what `cargo metadata` says of its crates.
#![allow(dead_code, reason = "each test binary uses a part")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the repository")
}

/// A file of the repository, with `/` in its path from the root.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Lies in a `tests` or `benches` folder.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "benches")
    }
}

/// The repository's own files with one of these endings. What git ignores is not looked at.
pub(crate) fn sources(endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(root(), endings, &mut found);
    found.sort();
    let read = |path: PathBuf| Source {
        path: path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned(),
        text: read(&path),
    };
    let found: Vec<Source> = found.into_iter().map(read).collect();
    assert!(!found.is_empty(), "no files {endings:?} below {}", root().display());
    found
}

fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("list {}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | "data" | "node_modules")
                && (!name.starts_with('.') || name == ".ci")
            {
                walk(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
}

/// A text file.
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("read {}: {e}", path.display()))
}

/// A crate of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a crate's manifest names.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) for_tests: bool,
}

/// The crates of the workspace.
pub(crate) fn members() -> &'static [Member] {
    static MEMBERS: LazyLock<Vec<Member>> = LazyLock::new(ask_cargo);
    &MEMBERS
}

fn ask_cargo() -> Vec<Member> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let asked = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root())
        .output();
    let asked = asked.expect("cargo runs");
    assert!(asked.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&asked.stderr));
    let metadata: Value = serde_json::from_slice(&asked.stdout).expect("JSON of cargo metadata");
    let text = |value: &Value| value.as_str().expect("a text of cargo metadata").to_owned();
    let list = |value: &Value| value.as_array().expect("a list of cargo metadata").clone();
    let dependency =
        |d: Value| Dependency { name: text(&d["name"]), for_tests: d["kind"].as_str() == Some("dev") };
    let member = |p: Value| Member {
        name: text(&p["name"]),
        dependencies: list(&p["dependencies"]).into_iter().map(dependency).collect(),
    };
    list(&metadata["packages"]).into_iter().map(member).collect()
}
