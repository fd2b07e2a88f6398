//! Segment files: their names, their preparation, the list of them.

use super::header::{SegmentHeader, StoreId};
use crate::error::{Fault, Wrong};
use crate::files::{self, Pace};
use crate::format::{PAGE, is_zero};
use crate::space::Space;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const TEMP: &str = ".tmp";

pub(crate) fn name(number: u32) -> String {
    format!("{number:08}.seg")
}

pub(crate) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(name(number))
}

/// A fault at a place in a segment.
pub(crate) fn fault(dir: &Path, number: u32, offset: u32, seq: Option<u64>, what: impl Into<Wrong>) -> Fault {
    let segment = path(dir, number);
    Fault { segment, offset: offset.into(), seq, agency: None, index: None, what: what.into() }
}

/// The numbers of the segments in a ledger folder, rising.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let file = entry?.file_name();
        let number = file.to_str().and_then(|n| n.strip_suffix(".seg")).and_then(|n| n.parse().ok());
        // Only names as we write them: "1.seg" beside "00000001.seg" is not ours.
        numbers.extend(number.filter(|n| file.to_str() == Some(&name(*n))));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Removes what a crash during a preparation left.
pub(crate) fn remove_temporary(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|n| n.ends_with(TEMP)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Creates a segment of zeros, durable before it appears under its name; at a pace where nobody waits for it. A limit is a full
/// disk.
pub(crate) fn prepare(
    dir: &Path,
    number: u32,
    len: u64,
    space: Option<&Space>,
    pace: Option<&Pace>,
) -> io::Result<()> {
    space.map_or(Ok(()), |space| space.admit(len))?;
    files::create_whole(dir, &name(number), |file| files::write_zeros(file, len, pace))
}

/// Creates the first segment of a new ledger, with its header.
pub(crate) fn create_first(dir: &Path, store: StoreId, len: u64) -> io::Result<()> {
    let header =
        SegmentHeader { number: 1, first_seq: 1, len, store, physical: lienthong_core::ids::Digest::ZERO };
    files::create_whole(dir, &name(1), |file| {
        files::write_zeros(file, len, None)?;
        file.write_all_at(&header.encode(), 0)
    })
}

/// What a segment's first page says.
pub(crate) enum FirstPage {
    /// Prepared and not used yet.
    Blank,
    /// In use.
    Started(SegmentHeader),
    /// Neither.
    Bad(&'static str),
}

/// A segment file opened for reading.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) len: u64,
    pub(crate) file: File,
}

impl Segment {
    /// Opens the segment, whatever is in it.
    pub(crate) fn open(dir: &Path, number: u32) -> Result<Self, Fault> {
        let opened = File::open(path(dir, number)).and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((len, file)) => Ok(Self { number, len, file }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(fault(dir, number, 0, None, Wrong::Missing)),
            Err(e) => Err(fault(dir, number, 0, None, e)),
        }
    }

    /// Reads the first page. A segment that is started and not as long as it says is a fault: the file had its
    /// full length durably before it got its name.
    pub(crate) fn first_page(&self, dir: &Path) -> Result<FirstPage, Fault> {
        let mut page = [0; PAGE];
        if self.len < PAGE as u64 {
            return Ok(FirstPage::Bad("the file is shorter than a page"));
        }
        self.file.read_exact_at(&mut page, 0).map_err(|e| fault(dir, self.number, 0, None, e))?;
        if is_zero(&page) {
            return Ok(FirstPage::Blank);
        }
        let header = match SegmentHeader::decode(&page) {
            Ok(header) => header,
            Err(why) => return Ok(FirstPage::Bad(why)),
        };
        if header.number != self.number {
            return Ok(FirstPage::Bad("it carries another number"));
        }
        if header.len != self.len {
            let what = Wrong::Length { expected: header.len, found: self.len };
            return Err(fault(dir, self.number, 0, None, what));
        }
        Ok(FirstPage::Started(header))
    }
}
