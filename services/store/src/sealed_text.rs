//! Small files that people can read and the node relies on: lines of words, the last of which is a checksum.

use crate::files;
use lienthong_core::ids::{AgencyId, Digest, Head};
use std::io::{self, Read, Write};
use std::path::Path;

/// No more than this is read, whatever lies there: 256 agencies of 150 bytes, with room.
const LIMIT: u64 = 256 << 10;

/// What was found under a name.
#[derive(Debug)]
pub(crate) enum Found {
    Missing,
    /// Not what was written, and why.
    Damaged(&'static str),
    /// The lines between title and checksum.
    Lines(Vec<String>),
}

/// Writes `dir/name`, whole or not at all, durable on return.
pub(crate) fn write(dir: &Path, name: &str, title: &str, lines: &[String]) -> io::Result<()> {
    let mut text = format!("{title}\n");
    for line in lines {
        text.push_str(&line.replace(char::is_control, " "));
        text.push('\n');
    }
    let sum = crc32c::crc32c(text.as_bytes());
    text.push_str(&format!("crc32c {sum:08x}\n"));
    files::create_whole(dir, name, |file| file.write_all(text.as_bytes()))
}

/// Reads it back. A folder that is not there has no such file.
pub(crate) fn read(dir: &Path, name: &str, title: &str) -> io::Result<Found> {
    let mut text = String::new();
    let read = std::fs::File::open(dir.join(name)).and_then(|f| f.take(LIMIT).read_to_string(&mut text));
    match read {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return Ok(Found::Damaged("it is no text")),
        Err(e) => return Err(e),
    }
    let Some((body, sum)) = text.trim_end_matches('\n').rsplit_once('\n') else {
        return Ok(Found::Damaged("it is cut short"));
    };
    let body = format!("{body}\n");
    if sum != format!("crc32c {:08x}", crc32c::crc32c(body.as_bytes())) {
        return Ok(Found::Damaged("its checksum is wrong"));
    }
    let mut lines = body.lines().map(str::to_owned);
    if lines.next().as_deref() != Some(title) {
        return Ok(Found::Damaged("its first line is not known"));
    }
    Ok(Found::Lines(lines.collect()))
}

/// Removes `dir/name`, durably.
pub(crate) fn remove(dir: &Path, name: &str) -> io::Result<()> {
    match std::fs::remove_file(dir.join(name)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => files::sync_dir(dir),
    }
}

/// `<agency> <size> <head>`.
pub(crate) fn head_words(agency: &AgencyId, head: &Head) -> String {
    format!("{agency} {} {}", head.size, hex(&head.hash.0))
}

/// The inverse of [`head_words`]; the words after it are left.
pub(crate) fn parse_head<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<(AgencyId, Head)> {
    let agency = AgencyId::parse(words.next()?)?;
    let size = words.next()?.parse().ok()?;
    let hash = Digest(unhex(words.next()?)?);
    Some((agency, Head { size, hash }))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    let mut out = [0; N];
    for (nth, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[nth * 2..nth * 2 + 2], 16).ok()?;
    }
    Some(out)
}
