//! A disk whose sync takes as long as is asked, for all systems alike: ext4 on a loop device on one file, which a FUSE
//! mount of ours serves. Reads and writes go past us (FUSE passthrough); only what the kernel sends as a flush waits.
//!
//! For machines whose disk answers a flush from a cache in microseconds: what a group commit is worth does not show there.
//! A whole file system lies on it, so everything that makes a disk wait does: fsync, fdatasync, O_SYNC, the journal.

mod flushes;

use anyhow::Context;
use flushes::Flushes;
use fuser::{BackgroundSession, Config, MountOption};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Room on it: a turn's data of each system, which is removed behind it. The file is sparse.
const BYTES: u64 = 12 << 30;

/// Mounted until it is dropped.
#[derive(Debug)]
pub(crate) struct SlowDisk {
    /// A file system on it.
    pub(crate) mounted: PathBuf,
    served: PathBuf,
    device: Option<String>,
    session: Option<BackgroundSession>,
}

impl SlowDisk {
    /// Makes one in a folder. As root: it mounts.
    pub(crate) fn make(dir: &Path, sync: Duration) -> anyhow::Result<Self> {
        anyhow::ensure!(nix::unistd::geteuid().is_root(), "--sync-us mounts a disk: run it as root");
        let (backing, served, mounted) = (dir.join("backing"), dir.join("served"), dir.join("disk"));
        std::fs::create_dir(&served)?;
        std::fs::create_dir(&mounted)?;
        let flushes = Flushes::over(&backing, BYTES, sync).context("make the file behind the disk")?;
        let mut options = Config::default();
        options.mount_options = vec![MountOption::FSName("slow-disk".into())];
        let session = fuser::spawn_mount(flushes, &served, &options).context("mount through FUSE")?;
        let mut disk = Self { mounted, served, device: None, session: Some(session) };
        disk.lay_out()?;
        Ok(disk)
    }

    fn lay_out(&mut self) -> anyhow::Result<()> {
        let file = self.served.join(flushes::NAME);
        let device = run("losetup", [OsStr::new("--find"), OsStr::new("--show"), file.as_os_str()])?;
        let device = self.device.insert(device);
        // Tables written at once: written later, they would burden whatever is measured first.
        run("mkfs.ext4", ["-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", device])?;
        run(
            "mount",
            [OsStr::new("-o"), OsStr::new("noatime"), OsStr::new(device), self.mounted.as_os_str()],
        )?;
        // Servers that give up root work in it.
        run("chmod", [OsStr::new("755"), self.mounted.as_os_str()])?;
        Ok(())
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        // Each may fail where the one before was never made; what cannot be taken away is told.
        let mut told = Vec::new();
        if let Some(device) = self.device.take() {
            told.extend(run("umount", [&self.mounted]).err());
            told.extend(run("losetup", ["--detach", &device]).err());
        }
        if let Some(session) = self.session.take() {
            told.extend(session.umount_and_join().err().map(anyhow::Error::from));
        }
        for error in told {
            eprintln!("taking the slow disk away: {error:#}");
        }
    }
}

/// Runs a command to its end; what it said.
fn run<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> anyhow::Result<String> {
    let ran = Command::new(program).args(args).output().with_context(|| format!("start {program}"))?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    anyhow::ensure!(ran.status.success(), "{program}: {}", said(&ran.stderr));
    Ok(said(&ran.stdout))
}
