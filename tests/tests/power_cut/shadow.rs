//! What would be on the disk: the files as they were synced, and what was written to them since.

use crate::trace::Entry;
use bytes::Bytes;
use lienthong_tests::Dice;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

/// Smallest unit that a disk writes whole.
const SECTOR: usize = 512;

/// What a power cut takes.
pub(crate) enum Loss<'a> {
    /// Nothing: the files as the process sees them.
    Nothing,
    /// Everything that was not synced.
    Unsynced,
    /// Of what was not synced some sectors, and the names from some moment on.
    Some(&'a mut Dice),
}

/// Syncs that a lying disk ignores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ignored {
    None,
    OfFiles,
    OfFolders,
}

#[derive(Debug, Clone, Copy)]
enum Node {
    File(usize),
    Folder(usize),
}

#[derive(Debug, Default)]
struct File {
    durable: Vec<u8>,
    /// In their order; `true` for those that a failed sync made the system forget.
    pending: Vec<(Change, bool)>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Bytes),
    Zeros(usize, usize),
    Length(usize),
}

type Names = BTreeMap<String, Node>;

#[derive(Debug, Default)]
struct Folder {
    durable: Names,
    live: Names,
    /// The names after each change since the last sync.
    pending: Vec<Names>,
}

/// The folder that the shim watched.
#[derive(Debug)]
pub(crate) struct Shadow {
    ignored: Ignored,
    files: Vec<File>,
    by_inode: HashMap<u64, usize>,
    /// The first is the root, which is durable.
    folders: Vec<Folder>,
}

impl Shadow {
    pub(crate) fn new(ignored: Ignored) -> Self {
        Self { ignored, files: Vec::new(), by_inode: HashMap::new(), folders: vec![Folder::default()] }
    }

    /// Follows one entry of the trace.
    pub(crate) fn follow(&mut self, entry: &Entry) {
        match entry {
            Entry::Create { inode, path } => {
                self.files.push(File::default());
                self.by_inode.insert(*inode, self.files.len() - 1);
                let node = Node::File(self.files.len() - 1);
                self.rename(path, |names, name| {
                    names.insert(name, node);
                });
            }
            Entry::Folder { path } => {
                self.folders.push(Folder::default());
                let node = Node::Folder(self.folders.len() - 1);
                self.rename(path, |names, name| {
                    names.insert(name, node);
                });
            }
            Entry::Write { inode, at, bytes } => {
                self.change(*inode, Change::Write(*at as usize, bytes.clone()))
            }
            Entry::Zeros { inode, at, len } => self.change(*inode, Change::Zeros(*at as usize, *len)),
            Entry::Length { inode, len } => self.change(*inode, Change::Length(*len as usize)),
            Entry::Sync { inode } if self.ignored != Ignored::OfFiles => self.file(*inode).sync(),
            Entry::SyncFailed { inode } => {
                self.file(*inode).pending.iter_mut().for_each(|(_, forgotten)| *forgotten = true)
            }
            Entry::SyncFolder { path } if self.ignored != Ignored::OfFolders => {
                let at = self.folder(path);
                let folder = &mut self.folders[at];
                folder.durable = folder.live.clone();
                folder.pending.clear();
            }
            Entry::Rename { from, to } => {
                assert_eq!(parted(from).0, parted(to).0, "a rename stays in its folder");
                let to = parted(to).1.to_owned();
                self.rename(from, |names, name| {
                    let node = names.remove(&name).expect("what is renamed is there");
                    names.insert(to, node);
                });
            }
            Entry::Remove { path } => self.rename(path, |names, name| {
                names.remove(&name);
            }),
            Entry::Sync { .. } | Entry::SyncFolder { .. } | Entry::Acknowledge { .. } => {}
        }
    }

    /// Writes what a cut leaves into the empty folder `to`.
    pub(crate) fn rebuild(&self, to: &Path, loss: &mut Loss<'_>) {
        self.rebuild_folder(0, to, loss);
    }

    fn rebuild_folder(&self, at: usize, to: &Path, loss: &mut Loss<'_>) {
        fs::create_dir_all(to).expect("a folder of the copy");
        let folder = &self.folders[at];
        let names = match loss {
            Loss::Nothing => &folder.live,
            Loss::Unsynced => &folder.durable,
            Loss::Some(dice) => {
                let kept = dice.below(folder.pending.len() as u64 + 1) as usize;
                kept.checked_sub(1).map_or(&folder.durable, |last| &folder.pending[last])
            }
        };
        for (name, node) in names {
            match node {
                Node::Folder(below) => self.rebuild_folder(*below, &to.join(name), loss),
                Node::File(file) => {
                    fs::write(to.join(name), self.files[*file].after(loss)).expect("a file of the copy");
                }
            }
        }
    }

    fn change(&mut self, inode: u64, change: Change) {
        self.file(inode).pending.push((change, false));
    }

    fn file(&mut self, inode: u64) -> &mut File {
        &mut self.files[self.by_inode[&inode]]
    }

    fn rename(&mut self, path: &str, change: impl FnOnce(&mut Names, String)) {
        let (parent, name) = parted(path);
        let at = self.folder(parent);
        let folder = &mut self.folders[at];
        change(&mut folder.live, name.to_owned());
        folder.pending.push(folder.live.clone());
    }

    fn folder(&self, path: &str) -> usize {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts.fold(0, |at, part| match self.folders[at].live.get(part) {
            Some(Node::Folder(below)) => *below,
            other => panic!("{path} is {other:?} and no folder"),
        })
    }
}

impl File {
    fn sync(&mut self) {
        for (change, forgotten) in std::mem::take(&mut self.pending) {
            if !forgotten {
                change.apply(&mut self.durable, |_| true);
            }
        }
    }

    fn after(&self, loss: &mut Loss<'_>) -> Vec<u8> {
        let mut content = self.durable.clone();
        match loss {
            Loss::Unsynced => {}
            Loss::Nothing => self.pending.iter().for_each(|(c, _)| c.apply(&mut content, |_| true)),
            Loss::Some(dice) => {
                let percent = [5, 50, 95][dice.below(3) as usize];
                self.pending.iter().for_each(|(c, _)| c.apply(&mut content, |_| dice.comes(percent)));
            }
        }
        content
    }
}

impl Change {
    /// Makes the change in those sectors that `kept` keeps.
    fn apply(&self, content: &mut Vec<u8>, mut kept: impl FnMut(usize) -> bool) {
        let (at, len) = match self {
            Self::Length(len) => {
                if kept(0) {
                    content.resize(*len, 0);
                }
                return;
            }
            Self::Write(at, bytes) => (*at, bytes.len()),
            Self::Zeros(at, len) => (*at, *len),
        };
        let (mut from, end) = (at, at + len);
        while from < end {
            let to = (from / SECTOR + 1) * SECTOR;
            let to = to.min(end);
            if kept(from) {
                if content.len() < to {
                    content.resize(to, 0);
                }
                match self {
                    Self::Write(_, bytes) => content[from..to].copy_from_slice(&bytes[from - at..to - at]),
                    _ => content[from..to].fill(0),
                }
            }
            from = to;
        }
    }
}

/// The folder of a path and the name in it.
fn parted(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
