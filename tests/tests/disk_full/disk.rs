//! A small file system on a loop device, and a file that fills it up.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::Uid;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own for one data folder. Its mounts are seen by the test's thread and its children alone.
pub(crate) struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Mounts a new one at `at`, with its image in `dir`.
    pub(crate) fn mount(dir: &Path, at: &Path, bytes: u64) -> Result<Self, String> {
        if !Uid::effective().is_root() {
            return Err("only root may mount".to_owned());
        }
        unshare(CloneFlags::CLONE_NEWNS)
            .and_then(|()| {
                mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            })
            .map_err(|e| format!("no mount namespace: {e}"))?;
        let image = dir.join("small.img");
        File::create(&image).and_then(|file| file.set_len(bytes)).map_err(|e| e.to_string())?;
        // Nothing kept back for root, who runs this, and nothing that goes on in the background.
        let lazy = "lazy_itable_init=0,lazy_journal_init=0";
        run("mkfs.ext4", &["-q", "-F", "-m", "0", "-E", lazy].map(OsStr::new), &[image.as_ref()])?;
        fs::create_dir_all(at).map_err(|e| e.to_string())?;
        run("mount", &["-o", "loop"].map(OsStr::new), &[image.as_ref(), at.as_ref()])?;
        Ok(Self { at: at.to_owned() })
    }

    /// Takes every block that is left.
    pub(crate) fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.filler()).expect("a filler");
        for piece in [1 << 20, 64 << 10, 4 << 10, 512] {
            let bytes = vec![0xA5; piece];
            while file.write_all(&bytes).is_ok() {}
        }
        let _ = file.sync_all();
    }

    /// Gives all of it back.
    pub(crate) fn give_room(&self) {
        fs::remove_file(self.filler()).expect("the filler");
    }

    /// When everybody is gone.
    pub(crate) fn unmount(self) {
        run("umount", &[], &[self.at.as_ref()]).expect("nobody uses it any more");
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // After a failed test a node may still be dying in there; the namespace ends with it.
        let _ = run("umount", &["-l"].map(OsStr::new), &[self.at.as_ref()]);
    }
}

fn run(program: &str, options: &[&OsStr], args: &[&OsStr]) -> Result<(), String> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let ended = Command::new(program).args(options).args(args).env("PATH", path).output();
    let ended = ended.map_err(|e| format!("{program}: {e}"))?;
    let told = String::from_utf8_lossy(&ended.stderr);
    if ended.status.success() { Ok(()) } else { Err(format!("{program}: {}", told.trim())) }
}
