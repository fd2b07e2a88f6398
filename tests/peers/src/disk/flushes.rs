//! The file of the disk as FUSE serves it: reads and writes pass through to the file behind, a sync takes its time.

use fuser::{
    BackingId, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, ReplyAttr, ReplyEmpty, ReplyEntry, ReplyOpen, Request,
};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// The one file.
pub(super) const NAME: &str = "disk";
const INODE: INodeNo = INodeNo(2);
/// Nothing about it ever changes.
const FOR_EVER: Duration = Duration::from_secs(1 << 30);

/// One file over another. One thread serves it, so one flush runs at a time, as on a disk.
#[derive(Debug)]
pub(super) struct Flushes {
    behind: File,
    bytes: u64,
    sync: Duration,
    open: Mutex<Open>,
}

/// What was opened: the kernel passes through while it is kept.
#[derive(Debug, Default)]
struct Open {
    last: u64,
    passing: HashMap<u64, BackingId>,
}

impl Flushes {
    pub(super) fn over(behind: &Path, bytes: u64, sync: Duration) -> std::io::Result<Self> {
        let behind = OpenOptions::new().read(true).write(true).create_new(true).open(behind)?;
        behind.set_len(bytes)?;
        Ok(Self { behind, bytes, sync, open: Mutex::default() })
    }

    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let is_file = inode == INODE;
        FileAttr {
            ino: inode,
            size: if is_file { self.bytes } else { 0 },
            blocks: if is_file { self.bytes / 512 } else { 0 },
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if is_file { FileType::RegularFile } else { FileType::Directory },
            perm: if is_file { 0o600 } else { 0o700 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4_096,
        }
    }

    fn pass(&self, reply: &ReplyOpen) -> std::io::Result<(u64, BackingId)> {
        let backing = reply.open_backing(&self.behind)?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.last += 1;
        Ok((open.last, backing))
    }
}

impl Filesystem for Flushes {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // A sleep that ends when it was asked to, not up to 50 µs later.
        nix::sys::prctl::set_timerslack(1)?;
        let lacks = |_| std::io::Error::other("this kernel has no FUSE passthrough (Linux 6.9)");
        config.add_capabilities(InitFlags::FUSE_PASSTHROUGH).map_err(lacks)?;
        config.set_max_stack_depth(1).map_err(|_| std::io::Error::other("no stacked file systems"))?;
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == INodeNo::ROOT && name == NAME {
            reply.entry(&FOR_EVER, &self.attributes(INODE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOR_EVER, &self.attributes(inode));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.pass(&reply) {
            Ok((handle, backing)) => {
                reply.opened_passthrough(FileHandle(handle), FopenFlags::empty(), &backing);
                self.open.lock().unwrap_or_else(PoisonError::into_inner).passing.insert(handle, backing);
            }
            Err(error) => reply.error(error.into()),
        }
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).passing.remove(&handle.0);
        reply.ok();
    }

    /// The real one is part of the time: who waits waits at least as long as was asked.
    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let began = Instant::now();
        if let Err(error) = self.behind.sync_data() {
            return reply.error(error.into());
        }
        std::thread::sleep(self.sync.saturating_sub(began.elapsed()));
        reply.ok();
    }
}
