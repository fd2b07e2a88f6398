//! The anchor: how far each agency's ledger was, kept outside the data folder, so that an old copy of the folder is
//! known for one at its next start.
//!
//! It is written behind the ledger and never ahead of what is durable: an anchor that is behind says nothing, one that
//! is ahead says that the ledger was put back. `DIR/anchor` is text:
//!
//! ```text
//! lienthong-anchor 1
//! <agency> <records> <head of the ledger> <incarnation> <store id>
//! crc32c <of the lines before>
//! ```

use crate::files;
use crate::sealed_text::{self, Found, head_words, hex, parse_head, unhex};
use lienthong_core::ids::{AgencyId, Head, Incarnation};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The file in its folder.
pub const NAME: &str = "anchor";
const TITLE: &str = "lienthong-anchor 1";

/// How far one ledger was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchored {
    /// Of which store ([`crate::Ledger::store_id`]).
    pub store: [u8; 16],
    /// Its head, durable when this was written.
    pub head: Head,
    /// The agency's incarnation then.
    pub incarnation: Incarnation,
}

/// What an anchor file holds: an entry for each agency that was ever hosted with it.
pub type Anchor = BTreeMap<AgencyId, Anchored>;

/// What lies in an anchor's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Nothing: a first start, or somebody took it away.
    Missing,
    /// Not what was written; it says nothing.
    Damaged(&'static str),
    /// This.
    Whole(Anchor),
}

/// Reads the anchor in `dir`.
pub fn read(dir: &Path) -> io::Result<Read> {
    Ok(match sealed_text::read(dir, NAME, TITLE)? {
        Found::Missing => Read::Missing,
        Found::Damaged(why) => Read::Damaged(why),
        Found::Lines(lines) => match lines.iter().map(|line| parse(line)).collect() {
            Some(anchor) => Read::Whole(anchor),
            None => Read::Damaged("a line is not understood"),
        },
    })
}

/// Replaces the anchor in `dir`, which is made when it is missing. Durable on return.
pub fn write(dir: &Path, anchor: &Anchor) -> io::Result<()> {
    files::create_dir(dir)?;
    let lines: Vec<String> = anchor
        .iter()
        .map(|(agency, a)| format!("{} {} {}", head_words(agency, &a.head), a.incarnation.0, hex(&a.store)))
        .collect();
    sealed_text::write(dir, NAME, TITLE, &lines)
}

fn parse(line: &str) -> Option<(AgencyId, Anchored)> {
    let mut words = line.split(' ');
    let (agency, head) = parse_head(&mut words)?;
    let incarnation = Incarnation(words.next()?.parse().ok()?);
    let store = unhex(words.next()?)?;
    words.next().is_none().then_some((agency, Anchored { store, head, incarnation }))
}
