//! The binary under test: the one of this profile, built when it is missing or older than its sources.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The `lienthong` that belongs to this test's profile.
///
/// # Panics
/// When it cannot be built.
pub fn lienthong() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(find)
}

/// Tests lie in `target/<profile>/deps`.
fn find() -> PathBuf {
    let me = std::env::current_exe().expect("the path of this test");
    let profile = me.parent().and_then(Path::parent).expect("target/<profile>");
    let binary = profile.join("lienthong");
    // Test processes run side by side: one builds, the others wait.
    let lock = File::create(profile.join(".lienthong-tests.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if is_stale(&binary) {
        build(profile);
    }
    binary
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn is_stale(binary: &Path) -> bool {
    let Ok(built) = binary.metadata().and_then(|m| m.modified()) else { return true };
    let mut newest = SystemTime::UNIX_EPOCH;
    ["services", "proto"].iter().for_each(|folder| look(&root().join(folder), &mut newest));
    newest > built
}

/// The newest source below a folder; tests are no part of the binary.
fn look(folder: &Path, newest: &mut SystemTime) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name() != Some(OsStr::new("tests")) {
                look(&path, newest);
            }
        } else if let Ok(at) = entry.metadata().and_then(|m| m.modified()) {
            *newest = at.max(*newest);
        }
    }
}

fn build(profile: &Path) {
    let name = match profile.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = profile.parent().expect("the target folder");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "-p", "lienthong", "--profile", name, "--target-dir"])
        .arg(target)
        .current_dir(root())
        .status();
    assert!(status.expect("cargo runs").success(), "the lienthong binary could not be built");
}
