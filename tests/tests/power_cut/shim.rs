//! The shim: built once, and the writer run under it.

use crate::trace::{self, Entry};
use crate::writer::{self, Pattern};
use lienthong_tests::skip_or_fail;
use nix::sys::statvfs::statvfs;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use tempfile::TempDir;

/// A run takes a second; one that takes this long hangs.
const RUN_LIMIT_S: &str = "30";
/// Some tests run side by side, each with some copies of some segments.
const MEMORY_ROOM: u64 = 2 << 30;

/// The library to preload, in a folder that goes with it.
pub(crate) struct Shim {
    library: PathBuf,
    dir: TempDir,
}

/// A run that came to its end.
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    /// What the writer said.
    pub(crate) told: String,
    pub(crate) trace: Vec<Entry>,
    /// The real files.
    pub(crate) dir: TempDir,
}

impl Shim {
    /// Builds it. `None` without a C compiler, which is told.
    pub(crate) fn build() -> Option<Self> {
        let dir = quick_folder();
        let library = dir.path().join("shim.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shim/shim.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(&library)
            .arg(&source)
            .args(["-ldl", "-lpthread"])
            .output();
        match built {
            Ok(built) if built.status.success() => Some(Self { library, dir }),
            Ok(built) => panic!("cc: {}", String::from_utf8_lossy(&built.stderr)),
            Err(e) => {
                skip_or_fail(&format!("the shim cannot be built without cc: {e}"));
                None
            }
        }
    }

    /// A folder for copies.
    pub(crate) fn scratch(&self) -> TempDir {
        tempfile::tempdir_in(&self.dir).expect("a folder for a copy")
    }

    /// Runs the writer to its end, with the failure that `fail` names.
    pub(crate) fn run(&self, pattern: Pattern, seed: u64, steps: usize, fail: Option<&str>) -> Run {
        let dir = self.scratch();
        let _ = fs::remove_file(self.trace());
        let write = writer::write(dir.path(), pattern, seed, steps, 0);
        self.run_in(dir, &write, fail)
    }

    /// Starts the writer again in the folder of the run before, which was killed; the trace goes on.
    pub(crate) fn go_on(&self, before: Run, pattern: Pattern, seed: u64, steps: usize) -> Run {
        let from = acknowledged(&before.trace);
        let write = writer::write(before.dir.path(), pattern, seed, steps, from);
        self.run_in(before.dir, &write, None)
    }

    fn run_in(&self, dir: TempDir, write: &Command, fail: Option<&str>) -> Run {
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", RUN_LIMIT_S]).arg(write.get_program()).args(write.get_args());
        command.env("LD_PRELOAD", &self.library);
        // timeout itself is under the shim as well, and changes no file.
        command.env("LT_SHIM_ROOT", dir.path()).env("LT_SHIM_TRACE", self.trace());
        if let Some(fail) = fail {
            command.env("LT_SHIM_FAIL", fail);
        }
        let ended = command.output().expect("the writer runs");
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        Run { status: ended.status, told, trace: trace::read(&self.trace()), dir }
    }

    fn trace(&self) -> PathBuf {
        self.dir.path().join("trace")
    }
}

/// The steps that are acknowledged at the end of a trace.
pub(crate) fn acknowledged(trace: &[Entry]) -> usize {
    let last = trace.iter().rev().find_map(|entry| match entry {
        Entry::Acknowledge { steps } => Some(*steps),
        _ => None,
    });
    last.unwrap_or(0)
}

/// In memory where there is room: the judge syncs much, and here it need not outlive anything.
fn quick_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let room = statvfs(memory).map_or(0, |fs| fs.blocks_available() * fs.fragment_size());
    let quick = if room >= MEMORY_ROOM { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    quick.or_else(|_| tempfile::tempdir()).expect("a temporary folder")
}

/// Whether two folders hold the same files with the same bytes; else what differs.
pub(crate) fn differ(a: &Path, b: &Path) -> Option<String> {
    let ended = Command::new("diff").arg("-rq").args([a, b]).output().expect("diff of diffutils runs");
    (!ended.status.success()).then(|| String::from_utf8_lossy(&ended.stdout).into_owned())
}
