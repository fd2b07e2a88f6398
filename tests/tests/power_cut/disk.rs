//! File systems on loop devices: one that can copy by reference, and in an image on it the one that loses its power.
//!
//! All mounts are in a mount namespace of the test's thread, so that none outlives the test, however it ends.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Room for some images; the file is sparse.
const POOL_BYTES: u64 = 8 << 30;
/// More than a run writes; sparse too.
const IMAGE_BYTES: u64 = 1 << 30;

/// Why there is no such disk.
pub(crate) enum Missing {
    /// This machine does not allow it.
    Forbidden(String),
    /// A program is missing.
    Program(String),
}

/// The disk.
pub(crate) struct Disk {
    // Unmounted before the folder goes.
    mounted: Vec<PathBuf>,
    dir: TempDir,
}

impl Disk {
    /// Makes the file systems.
    pub(crate) fn set_up() -> Result<Self, Missing> {
        if !Uid::effective().is_root() {
            return Err(Missing::Forbidden("only root may mount".to_owned()));
        }
        unshare(CloneFlags::CLONE_NEWNS)
            .and_then(|()| {
                mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            })
            .map_err(|e| Missing::Forbidden(format!("no mount namespace: {e}")))?;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut disk = Self { mounted: Vec::new(), dir };
        let first = disk.path("first.img");
        sparse(&first, IMAGE_BYTES);
        // All of it is laid out now: nothing goes on in the background later.
        let eager = ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"].map(OsStr::new);
        make("mkfs.ext4", &eager, &first)?;
        disk.mount("first.img", "first").map_err(Missing::Forbidden)?;
        disk.unmount("first");
        disk.set_up_pool()?;
        Ok(disk)
    }

    fn set_up_pool(&mut self) -> Result<(), Missing> {
        let image = self.path("pool.img");
        sparse(&image, POOL_BYTES);
        let xfs = make("mkfs.xfs", &["-q", "-m", "reflink=1"].map(OsStr::new), &image);
        xfs.or_else(|_| make("mkfs.btrfs", &["-q"].map(OsStr::new), &image))
            .map_err(|_| Missing::Program("mkfs.xfs (xfsprogs) or mkfs.btrfs (btrfs-progs)".to_owned()))?;
        self.mount("pool.img", "pool").map_err(Missing::Forbidden)?;
        fs::rename(self.path("first.img"), self.path("pool/first.img"))
            .or_else(|_| {
                run(
                    "cp",
                    &[
                        "--sparse=always".as_ref(),
                        self.path("first.img").as_ref(),
                        self.path("pool/first.img").as_ref(),
                    ],
                )
                .map_err(std::io::Error::other)
            })
            .expect("the image moves into the pool");
        Ok(())
    }

    /// A fresh file system for a writer.
    pub(crate) fn begin(&mut self) -> PathBuf {
        self.copy("first.img", "live.img");
        self.mount("pool/live.img", "live").expect("the live file system");
        self.path("live")
    }

    /// The power goes: what the live file system has written to its device so far, in one moment.
    pub(crate) fn freeze(&self, nth: usize) {
        self.copy("live.img", &format!("cut-{nth}.img"));
    }

    /// The writer is gone.
    pub(crate) fn end(&mut self) {
        self.unmount("live");
    }

    /// The power is back: the copy is mounted, its journal replayed.
    pub(crate) fn restore(&mut self, nth: usize) -> PathBuf {
        self.mount(&format!("pool/cut-{nth}.img"), "cut").expect("the copy can be mounted");
        self.path("cut")
    }

    /// The copy is not needed any more.
    pub(crate) fn forget(&mut self, nth: usize) {
        self.unmount("cut");
        fs::remove_file(self.path(&format!("pool/cut-{nth}.img"))).expect("the copy");
    }

    fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.path("pool").join(from), self.path("pool").join(to));
        let copied = run("cp", &["--reflink=always".as_ref(), from.as_ref(), to.as_ref()]);
        copied.expect("a copy by reference");
    }

    fn mount(&mut self, image: &str, at: &str) -> Result<(), String> {
        let folder = self.path(at);
        fs::create_dir_all(&folder).expect("a folder to mount at");
        run("mount", &["-o".as_ref(), "loop".as_ref(), self.path(image).as_ref(), folder.as_ref()])?;
        self.mounted.push(folder);
        Ok(())
    }

    fn unmount(&mut self, at: &str) {
        let folder = self.path(at);
        run("umount", &[folder.as_ref()]).expect("unmounted");
        self.mounted.retain(|mounted| *mounted != folder);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for folder in self.mounted.iter().rev() {
            // A writer may still be dying in there; the namespace ends with it.
            let _ = run("umount", &["-l".as_ref(), folder.as_ref()]);
        }
    }
}

fn sparse(path: &Path, len: u64) {
    File::create(path).and_then(|file| file.set_len(len)).expect("a sparse file");
}

fn make(program: &str, options: &[&OsStr], image: &Path) -> Result<(), Missing> {
    let args: Vec<&OsStr> = options.iter().copied().chain([image.as_os_str()]).collect();
    run(program, &args).map_err(Missing::Program)
}

/// Runs a program; on Debian those of the administrator are not in everybody's path.
fn run(program: &str, args: &[&OsStr]) -> Result<(), String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let ended = Command::new(program).args(args).env("PATH", path).output();
    let ended = ended.map_err(|e| format!("{program}: {e}"))?;
    let told = String::from_utf8_lossy(&ended.stderr);
    if ended.status.success() { Ok(()) } else { Err(format!("{program}: {}", told.trim())) }
}
